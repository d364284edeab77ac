package segl.interop;

import java.util.LinkedHashMap;
import java.util.Map;
import no.digipost.signature.client.core.exceptions.SignatureException;
import no.digipost.signature.client.portal.PortalJobResponse;
import no.digipost.signature.client.portal.PortalJobStatus;
import no.digipost.signature.client.portal.PortalJobStatusChanged;
import no.digipost.signature.client.portal.Signature;

/** What the client made of an answer, as it tells it to a program. */
final class Told {

    private Told() {
    }

    static Map<String, Object> of(PortalJobResponse job) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("signature_job_id", job.getSignatureJobId());
        told.put("reference", job.getReference());
        return told;
    }

    static Map<String, Object> of(PortalJobStatusChanged change) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("status", change.getStatus().name());
        told.put("next_permitted_poll_time", change.getNextPermittedPollTime().toString());
        if (!change.is(PortalJobStatus.NO_CHANGES)) { // else the client refuses to tell the rest
            told.put("signature_job_id", change.getSignatureJobId());
            told.put("reference", change.getReference());
            told.put("pades_available", change.isPAdESAvailable());
            told.put("cancellable", change.getCancellationUrl() != null);
            told.put("deletable", change.getDeleteDocumentsUrl() != null);
            told.put("signatures", change.getSignatures().stream().map(Told::of).toList());
        }
        return told;
    }

    private static Map<String, Object> of(Signature signature) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("signer", identityNumber(signature));
        told.put("status", signature.getStatus().getIdentifier());
        told.put("since", signature.getStatusDateTime().toString());
        told.put("xades_available", signature.getxAdESUrl() != null);
        return told;
    }

    /** None of those who are addressed by contact information: of them the client refuses to tell. */
    private static String identityNumber(Signature signature) {
        try {
            return signature.getSigner();
        } catch (SignatureException refused) {
            return null;
        }
    }
}
