// Says yes to a step, goes on with the run, and tells where it stands: STORE RUN STEP PERSON.
import { Runtime } from "../package.mjs";

const [store, run, step, by] = process.argv.slice(2);
const runtime = await Runtime.open(store);
const sent = await runtime.approve(run, step, { by });
const outcome = await runtime.resume(run).outcome();
const { status, asks } = outcome;
await runtime.close();
console.log(JSON.stringify({ sent, status, asks }));
