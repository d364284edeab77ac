package segl.interop;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import no.digipost.signature.client.core.AuthenticationLevel;
import no.digipost.signature.client.core.DocumentType;
import no.digipost.signature.client.core.IdentifierInSignedDocuments;
import no.digipost.signature.client.portal.PortalDocument;
import no.digipost.signature.client.portal.PortalJob;

/** A job; what is absent is left to the client and the service. Times are ISO 8601, contents base64. */
record JobDescription(
        String title,
        List<Document> documents,
        List<SignerDescription> signers,
        SenderDescription sender,
        String reference,
        AuthenticationLevel requiredAuthentication,
        IdentifierInSignedDocuments identifierInSignedDocuments,
        String activationTime,
        Long availableSeconds,
        String nonsensitiveTitle,
        String description) {

    record Document(String title, byte[] content, DocumentType type) {

        PortalDocument document() {
            PortalDocument.Builder builder = PortalDocument.builder(title, content);
            if (type != null) {
                builder.type(type);
            }
            return builder.build();
        }
    }

    PortalJob job() {
        PortalJob.Builder builder = PortalJob.builder(
                title,
                documents.stream().map(Document::document).toList(),
                signers.stream().map(SignerDescription::signer).toList());
        if (sender != null) {
            builder.withSender(sender.sender());
        }
        if (reference != null) {
            builder.withReference(reference);
        }
        if (requiredAuthentication != null) {
            builder.requireAuthentication(requiredAuthentication);
        }
        if (identifierInSignedDocuments != null) {
            builder.withIdentifierInSignedDocuments(identifierInSignedDocuments);
        }
        addAvailability(builder);
        addTexts(builder);
        return builder.build();
    }

    private void addAvailability(PortalJob.Builder builder) {
        if (activationTime != null) {
            builder.withActivationTime(Instant.parse(activationTime));
        }
        if (availableSeconds != null) {
            builder.availableFor(Duration.ofSeconds(availableSeconds));
        }
    }

    private void addTexts(PortalJob.Builder builder) {
        if (nonsensitiveTitle != null) {
            builder.withNonsensitiveTitle(nonsensitiveTitle);
        }
        if (description != null) {
            builder.withDescription(description);
        }
    }
}
