"""Settings: from the file and the environment, each checked, all errors at once, no secret repeated."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from shutil import copytree

import pytest
from cryptography.x509 import ObjectIdentifier

from django_environment import CONFIGURATION
from segl.service.config.loading import load
from segl.service.config.reading import ConfigurationError
from segl.service.configuration import Address, Clients, Rendering, Sms

ORGANIZATION = '[[organizations]]\nnumber = "123456789"\nsector = "public"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The smallest file that is complete."""
    copytree(CONFIGURATION, tmp_path, dirs_exist_ok=True)
    (tmp_path / "empty").touch()
    return tmp_path / "segl.toml"


def refused(file: Path, **environment: str) -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        load(file, environment)
    return str(error.value).splitlines()


def add(file: Path, lines: str) -> None:
    file.write_text(f"{file.read_text()}\n{lines}\n")


def test_what_is_left_out_has_a_default(file: Path) -> None:
    configuration = load(file)
    assert configuration.poll_interval == configuration.requeue_after == timedelta(minutes=10)
    assert configuration.signing_time_tolerance == timedelta(seconds=5)
    assert (configuration.mail.host, configuration.mail.port, configuration.mail.encryption) == (
        "localhost",
        25,
        "none",
    )
    assert (configuration.api.listen, configuration.api.proxy, configuration.web.listen) == (None, None, None)
    assert configuration.intermediates == configuration.organizations == ()
    assert configuration.rendering == Rendering(4, 768 * 2**20, 1024 * 2**20, 2048 * 2**20)
    assert configuration.clients == Clients()


def test_the_environment_wins(file: Path) -> None:
    environment = {
        "SEGL_POLL_INTERVAL_SECONDS": "1.5",
        "SEGL_MAIL_PORT": "587",
        "SEGL_TRUST_ANCHORS": "one.pem, /two.pem",
        "SEGL_WEB_LISTEN": "[::1]:8080",
        "SEGL_API_PROXY_LISTEN": "0.0.0.0:8444",
        "SEGL_API_PROXY_TRUSTED": "127.0.0.1,10.0.0.0/8",
        "SEGL_API_PROXY_HEADER": "Client-Cert",
        "SEGL_CONFIG": "is not a setting",
        "HOME": "is nothing of ours",
    }
    configuration = load(file, environment)
    assert configuration.poll_interval == timedelta(seconds=1.5)
    assert configuration.mail.port == 587
    assert configuration.trust_anchors == (file.parent / "one.pem", Path("/two.pem"))
    assert configuration.web.listen == Address("::1", 8080)
    assert configuration.api.proxy is not None
    assert configuration.api.proxy.trusted == (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"))


def test_the_tables_of_a_file(file: Path) -> None:
    add(
        file,
        """
        user = "segl"
        password_file = "mail-password"
        encryption = "starttls"
        [api]
        listen = "127.0.0.1:8443"
        certificate = "api.pem"
        private_key = "api-key.pem"
        [clients]
        issuers = ["issuers.pem"]
        policies = ["2.16.578.1.26.1.3.2"]
        number_in_common_name = true
        [worker]
        listen = "127.0.0.1:8090"
        [[organizations]]
        number = "123456789"
        name = "Nordvik kommune"
        sector = "public"
        broker_for = ["310248711"]
        """,
    )
    (file.parent / "mail-password").write_text("hush\n")
    configuration = load(file)
    assert (configuration.mail.user, configuration.mail.password) == ("segl", "hush")
    assert configuration.api.tls is not None
    assert configuration.api.tls.certificate == file.parent / "api.pem"
    policies = (ObjectIdentifier("2.16.578.1.26.1.3.2"),)
    assert configuration.clients == Clients((file.parent / "issuers.pem",), policies, number_in_common_name=True)
    assert configuration.worker_listen == Address("127.0.0.1", 8090)
    secrets = {
        "master-key",
        "mail-password",
        "api-key.pem",
        "seal-key.pem",
        "signer-ca-key.pem",
        "organization-key.pem",
    }
    assert {each.name for each in configuration.secret_files} == secrets
    assert [each.broker_for for each in configuration.organizations] == [("310248711",)]


def test_text_messages_leave_over_http_or_through_a_class(file: Path) -> None:
    assert load(file).sms == Sms("segl.sandbox.stand_ins.outbox.SmsGateway")
    file.write_text(file.read_text().replace('gateway = "segl.sandbox.stand_ins.outbox.SmsGateway"', ""))
    assert load(file).sms == Sms()
    (file.parent / "sms-token").write_text("hush\n")
    over_http = {
        "SEGL_SMS_URL": "https://sms.example.com/send?v=1",
        "SEGL_SMS_SENDER": "Segl",
        "SEGL_SMS_TOKEN_FILE": "sms-token",
    }
    sms = load(file, over_http).sms
    assert sms == Sms(
        "segl.service.notifications.sms.HttpSmsGateway", "https://sms.example.com/send?v=1", "Segl", "hush"
    )
    assert "hush" not in repr(sms)
    assert file.parent / "sms-token" in load(file, over_http).secret_files
    assert refused(file, SEGL_SMS_URL="https://sms.example.com")[0].startswith("The setting `sms.sender` is missing")


def test_what_belongs_to_the_contact_register_is_wanted_with_it_alone(file: Path) -> None:
    register = load(file).contact_register
    assert register is not None
    assert (register.client_id, register.scope) == ("segl", "krr:global/kontaktinformasjon.read")
    assert register.issuer == "http://127.0.0.1:8080/maskinporten/"
    head, _, table = file.read_text().partition("[contact_register]")
    table, _, tail = table.partition("\n\n")
    file.write_text(f"{head}{tail}")
    assert load(file).contact_register is None
    problems = refused(file, SEGL_CONTACT_REGISTER_URL="https://kontaktregisteret.no")
    names = ("token_endpoint", "issuer", "client_id", "certificate", "private_key")
    assert [each.partition(" is missing")[0] for each in problems] == [
        f"The setting `contact_register.{name}`" for name in names
    ]


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SEGL_SANDBOX": "yes"}, "SEGL_SANDBOX is 'yes': write true or false."),
        ({"SEGL_API_ROOT": "http://h/api"}, "is 'http://h/api': write https://HOST/api, with a :PORT if needed."),
        ({"SEGL_API_ROOT": "https://h/other"}, "write https://HOST/api, with a :PORT if needed."),
        ({"SEGL_API_ROOT": "https://u@h/api"}, "write https://HOST/api, with a :PORT if needed."),
        ({"SEGL_API_ROOT": "https://h:x/api"}, "write https://HOST/api, with a :PORT if needed."),
        ({"SEGL_WEB_ROOT": "https://h/path"}, "write https://HOST or http://HOST, with a :PORT if needed."),
        ({"SEGL_WEB_ROOT": "http://h", "SEGL_SANDBOX": "false"}, "write https://HOST; without TLS anyone"),
        ({"SEGL_DATABASE": "mysql://h/d"}, "'mysql' is not supported"),
        ({"SEGL_DATABASE": "postgresql://h:port/d?x=%zz"}, "write postgresql://USER@HOST/NAME, with other characters"),
        ({"SEGL_DATABASE": "postgresql://segl@h"}, "write postgresql://USER@HOST/NAME, with the database's name."),
        (
            {"SEGL_DATABASE": "postgresql://segl@db..example.com/d"},
            "cannot be used: write a host name with 1 to 63",
        ),
        ({"SEGL_DATABASE": f"postgresql://segl@h,{'x' * 64}/d"}, "write a host name with 1 to 63 characters"),
        ({"SEGL_DATABASE": "sqlite:///a%00b"}, "cannot be used: write a text without NUL characters."),
        ({"SEGL_MAIL_HOST": "smtp..example.com"}, "write a host name with 1 to 63 characters between dots."),
        ({"SEGL_WEB_LISTEN": "h..h:80"}, "write a host name with 1 to 63 characters between dots."),
        ({"SEGL_CALLS_PER_SECOND": "ten"}, "SEGL_CALLS_PER_SECOND is 'ten': write a number from 0 to 1000."),
        ({"SEGL_CALLS_PER_SECOND": "-1"}, "is '-1': write a number from 0 to 1000."),
        ({"SEGL_CALLS_PER_SECOND": "0.5"}, "is '0.5': write a whole number from 0 to 1000."),
        ({"SEGL_DOCUMENTS": "gs://bucket"}, "write a folder, or s3://BUCKET or s3://BUCKET/PREFIX"),
        ({"SEGL_DOCUMENTS": "s3://key:secret@bucket"}, "with the keys in AWS_… variables"),
        ({"SEGL_MAIL_PORT": "65536"}, "SEGL_MAIL_PORT is '65536': write a number from 1 to 65535."),
        ({"SEGL_BODIES_MEBIBYTES_OF_A_SENDER": "39"}, "is '39': write a number from 40 to 1048576."),
        ({"SEGL_BODIES_BYTES_PER_SECOND": "0"}, "is '0': write a number from 1 to 1000000000."),
        ({"SEGL_MAIL_ENCRYPTION": "ssl"}, "write none or starttls or tls."),
        ({"SEGL_WEB_LISTEN": "8080"}, "write an address and a port such as 127.0.0.1:8444."),
        ({"SEGL_WEB_LISTEN": "::1:8080"}, "write an address and a port such as 127.0.0.1:8444."),
        ({"SEGL_WEB_LISTEN": "h:0"}, "write an address and a port such as 127.0.0.1:8444."),
        ({"SEGL_WEB_TRUSTED": "proxy"}, "write IP addresses or networks such as 127.0.0.1 or 10.0.0.0/24."),
        ({"SEGL_WEB_TRUSTED": "10.0.0.1/8"}, "write IP addresses or networks such as 127.0.0.1 or 10.0.0.0/24."),
        ({"SEGL_POLL_INTERVAL_SECONDS": "nan"}, "write a number from 0 to"),
        ({"SEGL_REQUEUE_AFTER_SECONDS": "0"}, "write a number from 1 to"),
        ({"SEGL_MAIL_PORT": "25.7"}, "SEGL_MAIL_PORT is '25.7': write a whole number from 1 to 65535."),
        ({"SEGL_MAIL_SENDER": " "}, "SEGL_MAIL_SENDER is ' ': write a text."),
        ({"SEGL_MAIL_SENDER": "Segl"}, "SEGL_MAIL_SENDER is 'Segl': write one e-mail address such as"),
        ({"SEGL_MAIL_SENDER": "Segl <segl@example>"}, "write one e-mail address such as segl@example.com or Segl <"),
        ({"SEGL_MAIL_SENDER": "a@example.com, b@example.com"}, "write one e-mail address such as segl@example.com"),
        ({"SEGL_MAIL_PASSWORD_FILE": "empty"}, "the file is empty; write the password into it, or remove the setting"),
        (
            {"SEGL_MAIL_PASSWORD_FILE": "master-key", "SEGL_MAIL_PASSWORD": "hush"},
            "The settings `mail.password` and `mail.password_file` are both set: remove one of them.",
        ),
        ({"SEGL_CLIENTS_POLICIES": "1.2.3, Buypass"}, "write object identifiers such as 2.16.578.1.26.1.3.2."),
        ({"SEGL_CLIENTS_NUMBER_IN_COMMON_NAME": "1"}, "_COMMON_NAME is '1': write true or false."),
        ({"SEGL_TRUST_ANCHORS": ""}, "SEGL_TRUST_ANCHORS is '': write a list with at least 1 value."),
        (
            {"SEGL_API_PROXY_LISTEN": "h:1", "SEGL_API_PROXY_HEADER": "Client-Cert", "SEGL_API_PROXY_TRUSTED": ""},
            "SEGL_API_PROXY_TRUSTED is '': write a list with at least 1 value.",
        ),
        ({"SEGL_MAIL_PASSWORD_FILE": "gone"}, "the file cannot be read (No such file or directory)"),
        ({"SEGL_API_LISTEN": "h:1", "SEGL_API_CERTIFICATE": "c"}, "The setting `api.private_key` is missing"),
        (
            {"SEGL_CONTACT_REGISTER_URL": "http://h/krr"},
            "write https://HOST/PATH; without TLS anyone on the network could",
        ),
        ({"SEGL_CONTACT_REGISTER_URL": "krr"}, "write https://HOST/PATH; without TLS anyone"),
        ({"SEGL_CONTACT_REGISTER_TOKEN_ENDPOINT": "https://h:x/"}, "_TOKEN_ENDPOINT is 'https://h:x/': write https://"),
        ({"SEGL_SMS_URL": "http://h/", "SEGL_SMS_SENDER": "x"}, "SEGL_SMS_URL is 'http://h/': write https://HOST/PATH"),
        ({"SEGL_SMS_URL": "https://h/", "SEGL_SMS_SENDER": "x"}, "`sms.url` and `sms.gateway` are both set"),
        ({"SEGL_ORGANIZATIONS_NAME": "x"}, "The environment variable SEGL_ORGANIZATIONS_NAME is not a setting"),
    ],
)
def test_what_is_wrong_in_the_environment_is_reported(file: Path, environment: dict[str, str], sentence: str) -> None:
    [problem] = refused(file, **environment)
    assert sentence in problem


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('hots = "x"', "The setting `mail.hots` is unknown: did you mean host?"),
        ("port = true", "The setting `mail.port` is True: write a number from 1 to 65535."),
        ("user = 5", "The setting `mail.user` is 5: write a text."),
        ('user = "se\\u0000gl"', "The setting `mail.user` is 'se\\x00gl': write a text without NUL characters."),
        ('[web]\nlisten = "h\\u0000:80"', "write a text without NUL characters."),
        ("password = 5", "The setting `mail.password` cannot be used: write a text."),
        ('[api.proxies]\nlisten = "h:1"', "The setting `api.proxies` is unknown: did you mean proxy?"),
        ("[clients]\npolicies = [1]", "The setting `clients.policies` is [1]: write"),
        ("[clients]\nissuer = []", "The setting `clients.issuer` is unknown: did you mean issuers?"),
        ("[web]\ntrusted = 5", "The setting `web.trusted` is 5: write a list."),
        ('[[organizations]]\nnumber = "1"\nname = "x"\nsector = "public"', "write an organization number of 9 digits"),
        ('[[organizations]]\nnumber = "123456789"\nname = "x"\nsector = "state"', "write public or private."),
        (
            "[rendering]\npage_mib = 600",
            "`rendering.page_mib` and `rendering.assembly_mib` must not decrease in this order",
        ),
        ("[rendering]\nchildren = 0", "The setting `rendering.children` is 0: write a number from 1 to 1000."),
        ("[rendering]\nchildren = []", "The setting `rendering.children` is []: write a number from 1 to 1000."),
        ('[rendering]\npage_mib = "1 GiB"', "is '1 GiB': write a number from 512 to 100000."),
        (f'{ORGANIZATION}name = "two\\nlines"', "is 'two\\nlines': write one line of 1 to 200 characters."),
        (f'{ORGANIZATION}name = "{"x" * 201}"', "write one line of 1 to 200 characters."),
        (
            f'{ORGANIZATION}name = "x"\n{ORGANIZATION}name = "y"',
            "The setting `organizations` contains the number 123456789 2 times: keep one of them.",
        ),
        (
            f'{ORGANIZATION}name = "x"\nbroker_for = ["123456789"]',
            "The setting `organizations.broker_for` of 123456789 contains its own number: remove it.",
        ),
        (
            '[[organizations]]\nnumber = "123456789"\nsector = "public"',
            "`organizations.name` is missing: add it to",
        ),
    ],
)
def test_what_is_wrong_in_the_file_is_reported(file: Path, lines: str, sentence: str) -> None:
    add(file, lines)
    [problem] = refused(file)
    assert sentence in problem


def test_outside_a_sandbox_the_check_digits_of_organizations_count(file: Path) -> None:
    add(file, f'{ORGANIZATION}name = "x"\nbroker_for = ["310248712"]')
    assert refused(file, SEGL_SANDBOX="false") == [
        f"The setting `organizations.{name}` is {value}: the check digit is wrong; look the number up again."
        for name, value in (("number", "'123456789'"), ("broker_for", "['310248712']"))
    ]


@pytest.mark.parametrize("name", ["api_root", "database", "documents", "master_key_file", "trust_anchors"])
def test_a_missing_setting_is_reported(file: Path, name: str) -> None:
    kept = [line for line in file.read_text().splitlines() if not line.startswith(name)]
    file.write_text("\n".join(kept))
    problem = f"The setting `{name}` is missing: add it to the configuration file, or set SEGL_{name.upper()}."
    assert refused(file) == [problem]


@pytest.mark.parametrize(("name", "value"), [("web", "5"), ("organizations", "5"), ("organizations", "['x']")])
def test_a_value_in_place_of_a_table_is_reported(file: Path, name: str, value: str) -> None:
    file.write_text(f"{name} = {value}\n{file.read_text()}")
    shown = value.strip("[]")
    assert refused(file)[0] == f"The setting `{name}` is {shown}: write a table, with its settings below."


@pytest.mark.parametrize("value", ["[]", "{}", "2026-01-01", "1.5"])
def test_a_value_of_another_type_is_reported(file: Path, value: str) -> None:
    """Each setting refuses any other TOML value, and nothing breaks."""
    text = file.read_text()
    for line in text.splitlines():
        name, equals, right = line.partition(" = ")
        if equals and (right.startswith('"') or right == "true"):
            file.write_text(text.replace(line, f"{name} = {value}"))
            [problem] = refused(file)
            assert f"{name}`" in problem


def test_all_problems_are_reported_at_once(file: Path) -> None:
    add(file, 'hots = "x"')
    assert len(refused(file, SEGL_SANDBOX="x", SEGL_WEB_LISTEN="x", SEGL_NO_SETTING="x")) == 4


@pytest.mark.parametrize("content", ["", "zz" * 32, "00" * 31, "00" * 33])
def test_a_master_key_is_64_digits(file: Path, content: str) -> None:
    (file.parent / "master-key").write_text(content)
    [problem] = refused(file)
    assert "openssl rand -hex 32" in problem


def test_secrets_are_not_shown(file: Path) -> None:
    environment = {"SEGL_DATABASE": "postgresql://u:hush@h/d", "SEGL_MAIL_PASSWORD": "hush"}
    configuration = load(file, environment)
    assert "hush" not in repr(configuration)
    assert configuration.master_key.hex() not in repr(configuration)
    assert str(configuration.master_key) not in repr(configuration)
    for wrong in ("mysql://u:hush@h/d", "postgresql://u:hush@h/%zz", "u:hush@h"):
        assert "hush" not in "".join(refused(file, SEGL_DATABASE=wrong))
