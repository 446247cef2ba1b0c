// Vectors of texts by transformers.js, from a folder as it lies on disk: one JSON list of rows.
import { env, pipeline } from "@huggingface/transformers";
const [parent, name, subfolder, dtype, texts] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = parent;
const extract = await pipeline("feature-extraction", name, { subfolder, dtype });
const vectors = await extract(JSON.parse(texts), { pooling: "mean", normalize: true });
console.log(JSON.stringify(vectors.tolist()));
