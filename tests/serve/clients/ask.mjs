// Two requests over Node's fetch, which keeps the connection open, and one with an offer of HTTP/2 over its http module.
import { request } from "node:http";

const url = `${process.argv[2]}/v1/embeddings`;
const body = JSON.stringify({ input: ["word1 word2"], model: "fieldtune:query", encoding_format: null });
const headers = { "Content-Type": "application/json" };
for (let turn = 0; turn < 2; turn++) {
  const reply = await fetch(url, { method: "POST", headers, body });
  console.log(`${reply.status} ${await reply.text()}`);
}
const offer = { Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA" };
const sent = request(url, { method: "POST", headers: { ...headers, ...offer } }, (reply) => {
  let text = "";
  reply.on("data", (part) => (text += part));
  reply.on("end", () => console.log(`${reply.statusCode} ${text}`));
});
sent.end(body);
