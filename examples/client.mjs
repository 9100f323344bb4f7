// Certify digits at a service, from Node 20 or newer, without packages: submit, follow, print radii.
//
//     SERVICE_URL=http://127.0.0.1:8000 node examples/client.mjs [number of images]
//
// CERTD_KEY is shown where the service asks for a key.

const url = process.env.SERVICE_URL ?? "http://127.0.0.1:8000";
const credentials = process.env.CERTD_KEY ? { Authorization: `Bearer ${process.env.CERTD_KEY}` } : {};
const ENDED = ["succeeded", "failed", "canceled"];

/** Ask the service; a refusal is thrown with the service's own words. */
async function ask(path, options = {}) {
  const headers = { ...credentials, ...options.headers };
  const answer = await fetch(url + path, { ...options, headers });
  if (!answer.ok) {
    const { code, detail } = await answer.json();
    throw new Error(`${answer.status} ${code}: ${detail}`);
  }
  return answer;
}

/** Submit a job. Sent again with the same key after a lost answer, it makes no second one. */
async function submit(request) {
  const answer = await ask("/v1/jobs", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
    body: JSON.stringify(request),
  });
  return answer.json();
}

/** Yield the data of server-sent events. */
async function* events(path) {
  let text = "";
  for await (const piece of (await ask(path)).body.pipeThrough(new TextDecoderStream())) {
    const parts = (text + piece).split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice("data: ".length));
    }
  }
}

/** Return the job as it ended. A stream that breaks off is opened again. */
async function follow(job) {
  while (!ENDED.includes(job.status)) {
    for await (job of events(job.links.events)) {
      const { images_done: done, images_total: total } = job.progress;
      console.error(`${job.status}: ${done} of ${total} images`);
    }
  }
  return job;
}

/** Yield the certificates of a job, page by page. */
async function* certificates(job) {
  let token = null;
  do {
    const page = token ? `?page_token=${encodeURIComponent(token)}` : "";
    const { certificates: rows, next_page_token: next } = await (await ask(job.links.certificates + page)).json();
    yield* rows;
    token = next;
  } while (token);
}

const limit = Number(process.argv[2] ?? 20);
const job = await follow(
  await submit({ model: "digits-cnn", dataset: "digits", limit, sigma: 0.25, n: 2000, seed: 1 }),
);
if (job.status !== "succeeded") throw new Error(`The job ${job.status}: ${job.error?.detail}`);
for await (const { image_id: id, prediction, radius } of certificates(job)) {
  console.log(prediction === null ? `${id}: abstained` : `${id}: ${prediction} within ${radius}`);
}
