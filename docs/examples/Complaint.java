// Opens a complaint over HTTP, answers it and reads its clocks. Java 17 or newer, standard library alone:
//   OMBUD_TOKEN=$(cat data/token) java docs/examples/Complaint.java
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.stream.Stream;

public class Complaint {
    static final String BASE = System.getenv().getOrDefault("OMBUD_URL", "http://127.0.0.1:8080/v1");
    static final String TOKEN = System.getenv("OMBUD_TOKEN");
    static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(5)).build();

    public static void main(String[] arguments) throws Exception {
        String reference = arguments.length > 0 ? arguments[0] : "J-" + System.currentTimeMillis();
        String complaint = "maintenance-service/" + reference;

        // The reference is the key: the same content sent again opens nothing.
        System.out.println(post("/complaints", reference, """
                {"contract": "maintenance-service", "reference": "%s", "kind": "enquiry", "category": "usage",
                 "channel": "phone", "received_at": "%s", "content": "How do I descale it?"}
                """.formatted(reference, Instant.now())));

        System.out.println(post("/complaints/" + complaint + "/commands/answer", reference + "-1", """
                {"text": "With citric acid, cold.", "by": {"role": "handler.owner", "person": "chen.lin"}}
                """));

        // Postgres follows a moment behind.
        HttpResponse<String> clocks;
        do {
            Thread.sleep(200);
            clocks = CLIENT.send(request("/complaints/" + complaint + "/clocks").build(),
                    HttpResponse.BodyHandlers.ofString());
            if (clocks.statusCode() != 200 && clocks.statusCode() != 404) {
                throw new IOException(clocks.body());
            }
        } while (!clocks.body().contains("\"met\""));
        System.out.println(clocks.body());

        HttpResponse<Stream<String>> table = CLIENT.send(request("/records.ndjson").build(),
                HttpResponse.BodyHandlers.ofLines());
        try (Stream<String> lines = table.body()) {
            System.out.println("records: " + lines.count());
        }
    }

    static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(BASE + path))
                .timeout(Duration.ofSeconds(30)).header("Authorization", "Bearer " + TOKEN);
    }

    /** Sends again under the same key while Ombud has no answer, and raises what it refuses, with the reason. */
    static String post(String path, String key, String body) throws IOException, InterruptedException {
        while (true) {
            HttpRequest request = request(path).header("Content-Type", "application/json")
                    .header("Idempotency-Key", key).POST(HttpRequest.BodyPublishers.ofString(body)).build();
            HttpResponse<String> answer = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() < 300) {
                return answer.body();
            }
            if (answer.statusCode() != 429 && answer.statusCode() != 503) {
                throw new IOException(answer.statusCode() + ": " + answer.body());
            }
            Thread.sleep(1000 * answer.headers().firstValueAsLong("Retry-After").orElse(1));
        }
    }
}
