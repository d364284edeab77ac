"""The e-mail that notifies a signer of a job, in Norwegian and English: the signer's language is not known yet.

Mail is an insecure channel: it has only the non-sensitive title, and no identity number.
"""

from django.core.mail import EmailMessage

_SUBJECT = "{sender} ber deg om å signere"

_WITH_LINK = """\
Hei!

{sender} ber deg om å signere {what_nb}.

Åpne denne lenken:
{link}

og skriv inn sikkerhetskoden: {code}

Lenken og koden er bare til deg. Ikke send dem videre.
De virker også etter at du har signert, til du avslutter lenken på kvitteringen.
Kjenner du ikke avsenderen, kan du se bort fra denne meldingen.


English

{sender} asks you to sign {what_en}.

Open the link above and enter the security code {code}.
The link and the code are for you alone. Do not pass them on.
They still work after you have signed, until you end the link on the receipt.
If you do not know the sender, you can ignore this message.
"""

_WITH_LOG_IN = """\
Hei!

{sender} ber deg om å signere {what_nb}.

Logg inn med eID for å lese og signere:
{link}

Kjenner du ikke avsenderen, kan du se bort fra denne meldingen.


English

{sender} asks you to sign {what_en}.

Open the address above and log in with your eID to read and sign.
If you do not know the sender, you can ignore this message.
"""


def send_first_notification(*, to: str, sender_name: str, nonsensitive_title: str, link: str, code: str | None) -> None:
    """Send one message; `code` comes with a unique link; None for signers who log in with an eID.

    Raises:
        OSError, smtplib.SMTPException, NotDeliverableError: The mail server did not accept the message.
    """
    text = (_WITH_LINK if code else _WITH_LOG_IN).format(
        sender=sender_name,
        what_nb=f"«{nonsensitive_title}»" if nonsensitive_title else "et dokument",
        what_en=f"“{nonsensitive_title}”" if nonsensitive_title else "a document",
        link=link,
        code=code,
    )
    subject = " ".join(_SUBJECT.format(sender=sender_name).split())
    EmailMessage(subject=subject, body=text, to=[to]).send()
