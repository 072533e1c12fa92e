// One contender in a process of its own: the twin of python/harness.py, with the same lines in and out.
//
//     harness.mjs work CONTENDER WORKLOAD    measures a batch for each line
//     harness.mjs sessions CONTENDER         fills sessions for each line, and says how much memory it holds
//     harness.mjs cancel CONTENDER           cancels runs for each line, and says what is left of them
//     harness.mjs first CONTENDER            one answer, and when it was there
//
// Everything that a contender does not need itself is imported late: `first` measures a fresh process.

const QUESTION = "What is 2 + 40?";
const ANSWER = "The answer is 42.";
const STREAMED = "word ".repeat(256);
// Bytes of a message in a session: 20 of them are 2.1 KB.
const LENGTH = 105;

const [mode, name, workload = mode] = process.argv.slice(2);
const started = mark();
const { Contender } = await import(`./contenders/${name}.mjs`);
const contender = new Contender();
const cancel = ({ runs }) => contender.cancel(runs);
await (mode === "first" ? first() : serve({ work: batch, sessions: fill, cancel }[mode]));

/** Now, on the clock of the machine, and the processor time of this process; both in ns. */
function mark() {
  const { user, system } = process.cpuUsage();
  return [Number(process.hrtime.bigint()), (user + system) * 1000];
}

async function first() {
  const imported = mark();
  await contender.open("one_turn");
  const ready = mark();
  check("one_turn", await contender.answer(QUESTION), 0);
  console.log(JSON.stringify([started, imported, ready, mark()]));
  await contender.close();
}

async function serve(measure) {
  const { createInterface } = await import("node:readline");
  await contender.open(workload);
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await measure(JSON.parse(line))));
  }
  await contender.close();
}

/** Whoever did not get the whole answer did not do the work. */
function check(workload, text, pieces) {
  if (text !== (workload === "stream_256" ? STREAMED : ANSWER)) {
    throw new Error(`${workload}: the answer is wrong: ${JSON.stringify(text)}`);
  }
  if (workload === "stream_256" && pieces !== 256) {
    throw new Error(`${workload}: expected 256 pieces of text, found ${pieces}`);
  }
}

async function one() {
  if (workload === "stream_256") {
    const { text, pieces } = await contender.stream(QUESTION);
    check(workload, text, pieces);
  } else {
    check(workload, await contender.answer(QUESTION), 0);
  }
}

/** Makes `runs` runs, `concurrency` at a time. */
async function batch({ runs, concurrency, collect = false }) {
  const latencies = [];
  let left = runs;
  const caller = async () => {
    while (left-- > 0) {
      const began = performance.now();
      await one();
      latencies.push((performance.now() - began) / 1000);
    }
  };
  const [wall, processor] = mark();
  await Promise.all(Array.from({ length: Math.min(concurrency, runs) }, caller));
  const [wallAfter, processorAfter] = mark();
  latencies.sort((a, b) => a - b);
  return {
    runs,
    cpu: (processorAfter - processor) / 1e9,
    wall: (wallAfter - wall) / 1e9,
    p50: latencies[Math.floor(latencies.length / 2)],
    p99: latencies[Math.floor((latencies.length * 99) / 100)],
    resident: resident(collect),
  };
}

/** Holds ten exchanges in each session, as many sessions as fit into the time. */
async function fill({ first, sessions, seconds }) {
  const deadline = performance.now() + seconds * 1000;
  let filled = 0;
  while (filled < sessions && (filled < 1 || performance.now() < deadline)) {
    for (let turn = 0; turn < 10; turn++) {
      const question = `question ${first + filled} ${turn} `.padEnd(LENGTH, "?");
      const answer = await contender.remember(`session-${first + filled}`, question);
      if (answer !== `answer to ${question}`.slice(0, LENGTH)) {
        throw new Error(`sessions: the answer is wrong: ${JSON.stringify(answer)}`);
      }
    }
    filled++;
  }
  return { filled, resident: resident(true) };
}

function resident(collect) {
  // Twice: what the first finds dead may hold what only the second can free.
  for (let time = 0; collect && time < 2; time++) {
    globalThis.gc({ type: "major", execution: "sync", flavor: "last-resort" });
  }
  return process.memoryUsage.rss();
}
