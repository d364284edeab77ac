package segl.interop;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import no.digipost.signature.client.core.exceptions.UnexpectedResponseException;

/** An exception of the client: its class, its message, and what it knows of the service's response. */
final class Failure {

    private Failure() {
    }

    static Map<String, Object> of(Throwable error) {
        Map<String, Object> values = new LinkedHashMap<>();
        values.put("kind", error.getClass().getSimpleName());
        values.put("message", Stream.iterate(error, each -> each != null, Throwable::getCause)
                .map(Throwable::toString)
                .collect(Collectors.joining("; caused by ")));
        if (error instanceof UnexpectedResponseException response) {
            values.put("status", response.httpStatusCode());
            values.put("code", response.getErrorCode());
            values.put("service_message", response.getErrorMessage());
            values.put("type", response.getErrorType());
        }
        return values;
    }
}
