package segl.interop;

import java.util.LinkedHashMap;
import java.util.Map;
import no.digipost.signature.client.core.exceptions.SignatureException;
import no.digipost.signature.client.portal.PortalJobResponse;
import no.digipost.signature.client.portal.PortalJobStatus;
import no.digipost.signature.client.portal.PortalJobStatusChanged;
import no.digipost.signature.client.portal.Signature;

/** What the client read from a response, as the values that a call returns. */
final class Values {

    private Values() {
    }

    static Map<String, Object> of(PortalJobResponse job) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("signature_job_id", job.getSignatureJobId());
        values.put("reference", job.getReference());
        return values;
    }

    static Map<String, Object> of(PortalJobStatusChanged change) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("status", change.getStatus().name());
        values.put("next_permitted_poll_time", change.getNextPermittedPollTime().toString());
        if (!change.is(PortalJobStatus.NO_CHANGES)) { // which has no more than this
            values.put("signature_job_id", change.getSignatureJobId());
            values.put("reference", change.getReference());
            values.put("pades_available", change.isPAdESAvailable());
            values.put("cancellable", change.getCancellationUrl() != null);
            values.put("deletable", change.getDeleteDocumentsUrl() != null);
            values.put("signatures", change.getSignatures().stream().map(Values::of).toList());
        }
        return values;
    }

    private static Map<String, Object> of(Signature signature) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("signer", identityNumber(signature));
        values.put("status", signature.getStatus().getIdentifier());
        values.put("since", signature.getStatusDateTime().toString());
        values.put("xades_available", signature.getxAdESUrl() != null);
        return values;
    }

    /** Null for signers who are addressed by contact information: for them the client throws. */
    private static String identityNumber(Signature signature) {
        try {
            return signature.getSigner();
        } catch (SignatureException refused) {
            return null;
        }
    }
}
