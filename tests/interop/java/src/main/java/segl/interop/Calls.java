package segl.interop;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import no.digipost.signature.client.core.ResponseInputStream;
import no.digipost.signature.client.core.Sender;
import no.digipost.signature.client.core.internal.Cancellable;
import no.digipost.signature.client.portal.PortalClient;
import no.digipost.signature.client.portal.PortalJobResponse;
import no.digipost.signature.client.portal.PortalJobStatusChanged;

/**
 * Does one call at a time. Clients, created jobs and status changes are kept, and named by their number in later calls,
 * so that the client gets its own objects back just as in a program that uses it.
 */
final class Calls {

    private final ObjectMapper json;
    private final List<Object> kept = new ArrayList<>();

    Calls(ObjectMapper json) {
        this.json = json;
    }

    /** Returns the number under which an object was kept, and its values. */
    Object call(JsonNode call) throws IOException {
        if (call.get("call").asText().equals("connect")) {
            return keep(new PortalClient(read(call, "connection", Connection.class).configuration()), Map.of());
        }
        PortalClient client = (PortalClient) kept(call, "client");
        return switch (call.get("call").asText()) {
            case "create" -> created(client.create(read(call, "job", JobDescription.class).job()));
            case "get_status_change" -> changed(statusChange(client, read(call, "sender", SenderDescription.class)));
            case "confirm" -> done(() -> client.confirm(change(call)));
            case "cancel" -> done(() -> client.cancel((Cancellable) kept(call, "kept")));
            case "get_xades" -> content(client.getXAdES(
                    change(call).getSignatureFrom(read(call, "signer", SignerDescription.class).identifier())
                            .getxAdESUrl()));
            case "get_pades" -> content(client.getPAdES(change(call).getpAdESUrl()));
            case "delete_documents" -> done(() -> client.deleteDocuments(change(call).getDeleteDocumentsUrl()));
            default -> throw new IllegalArgumentException("There is no such call: " + call);
        };
    }

    private static PortalJobStatusChanged statusChange(PortalClient client, SenderDescription sender) {
        return sender == null ? client.getStatusChange() : client.getStatusChange(sender.sender());
    }

    private Map<String, Object> created(PortalJobResponse job) {
        return keep(job, Values.of(job));
    }

    private Map<String, Object> changed(PortalJobStatusChanged change) {
        return keep(change, Values.of(change));
    }

    private static Map<String, Object> done(Runnable action) {
        action.run();
        return Map.of();
    }

    private static Map<String, Object> content(ResponseInputStream stream) throws IOException {
        try (stream) {
            byte[] content = stream.readAllBytes();
            return Map.of(
                    "content", Base64.getEncoder().encodeToString(content), "content_length", stream.getContentLength());
        }
    }

    private Map<String, Object> keep(Object object, Map<String, Object> values) {
        kept.add(object);
        return Map.of("kept", kept.size() - 1, "values", values);
    }

    private Object kept(JsonNode call, String name) {
        return kept.get(call.get(name).asInt());
    }

    private PortalJobStatusChanged change(JsonNode call) {
        return (PortalJobStatusChanged) kept(call, "kept");
    }

    private <T> T read(JsonNode call, String name, Class<T> type) throws JsonProcessingException {
        return json.treeToValue(call.get(name), type);
    }
}
