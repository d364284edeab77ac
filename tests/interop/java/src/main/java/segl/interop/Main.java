package segl.interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.Map;

import static java.nio.charset.StandardCharsets.UTF_8;

/** Reads calls from standard input, one line of JSON each, and answers each with one on standard output. */
public final class Main {

    private static final ObjectMapper JSON =
            JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();

    private Main() {
    }

    public static void main(String[] arguments) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        PrintStream answers = new PrintStream(System.out, true, UTF_8);
        Calls calls = new Calls(JSON);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            answers.println(JSON.writeValueAsString(answer(calls, JSON.readTree(line))));
        }
    }

    /** {"answer": …} or {"error": …}. */
    private static Map<String, Object> answer(Calls calls, JsonNode call) {
        try {
            return Map.of("answer", calls.call(call));
        } catch (Exception error) { // whatever the client throws is what the test wants to see
            return Map.of("error", Failure.of(error));
        }
    }
}
