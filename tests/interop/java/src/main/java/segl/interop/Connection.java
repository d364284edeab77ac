package segl.interop;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import no.digipost.signature.client.ClientConfiguration;
import no.digipost.signature.client.ServiceEnvironment;
import no.digipost.signature.client.security.KeyStoreConfig;

/**
 * Where the service is and who calls it: the paths of the organization's PKCS#12 and of a folder of trusted roots. The
 * server's organization number is the client's own default when it is not given.
 */
record Connection(
        String apiRoot,
        String pkcs12,
        String password,
        String trustAnchors,
        String serverOrganizationNumber,
        SenderDescription defaultSender) {

    ClientConfiguration configuration() {
        ServiceEnvironment environment =
                new ServiceEnvironment("sandbox", URI.create(apiRoot), List.of(trustAnchors));
        ClientConfiguration.Builder builder = ClientConfiguration.builder(keyStore()).serviceEnvironment(environment);
        if (serverOrganizationNumber != null) {
            builder.serverOrganizationNumber(serverOrganizationNumber);
        }
        if (defaultSender != null) {
            builder.defaultSender(defaultSender.sender());
        }
        return builder.build();
    }

    private KeyStoreConfig keyStore() {
        try (InputStream file = Files.newInputStream(Path.of(pkcs12))) {
            return KeyStoreConfig.fromOrganizationCertificate(file, password);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
