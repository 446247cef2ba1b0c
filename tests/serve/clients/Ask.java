import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Two requests over one of the JDK's clients as it is, which offers HTTP/2: as Spring AI and LangChain4j send them. */
public class Ask {
    public static void main(String[] arguments) throws Exception {
        var client = HttpClient.newHttpClient();
        for (int turn = 0; turn < 2; turn++) {
            var body = HttpRequest.BodyPublishers.ofString("{\"input\": [\"word1 word2\"], \"model\": \"fieldtune:query\"}");
            var request = HttpRequest.newBuilder(URI.create(arguments[0] + "/v1/embeddings"))
                .header("Content-Type", "application/json").POST(body).build();
            var reply = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(reply.statusCode() + " " + reply.body());
        }
    }
}
