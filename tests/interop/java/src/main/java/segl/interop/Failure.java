package segl.interop;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import no.digipost.signature.client.core.exceptions.UnexpectedResponseException;

/** An exception of the client: its class, what it says, and what it knows of the service's answer. */
final class Failure {

    private Failure() {
    }

    static Map<String, Object> of(Throwable error) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("kind", error.getClass().getSimpleName());
        told.put("message", Stream.iterate(error, each -> each != null, Throwable::getCause)
                .map(Throwable::toString)
                .collect(Collectors.joining("; caused by ")));
        if (error instanceof UnexpectedResponseException response) {
            told.put("status", response.httpStatusCode());
            told.put("code", response.getErrorCode());
            told.put("said", response.getErrorMessage());
            told.put("type", response.getErrorType());
        }
        return told;
    }
}
