/*
 * Prints a kubeconfig for a cluster or a fleet's hub of the simulator that runs on this machine (the quick start's, unless
 * SIMULATOR_PORT says otherwise): npm run --silent kubeconfig -- demo-aks01 > demo.yaml
 */

const TIMEOUT_MS = 10_000;

const [cluster, user] = process.argv.slice(2);
const port = Number(process.env.SIMULATOR_PORT ?? 3100);
const simulator = `http://127.0.0.1:${port}`;

async function main(): Promise<void> {
  if (cluster === undefined) {
    fail('Usage: npm run --silent kubeconfig -- <cluster, fleet or ARM id> [admin | <token>]');
    return;
  }
  const query = new URLSearchParams({ cluster, ...(user === undefined ? {} : { user }) });
  const answer = await ask(`${simulator}/_simulator/kubeconfig?${query.toString()}`);
  if (answer === undefined) {
    fail(`No simulator answers at ${simulator}. Start it with "npm run quickstart", or set SIMULATOR_PORT.`);
    return;
  }
  const text = await answer.text();
  if (answer.ok) process.stdout.write(text);
  else fail(`The simulator at ${simulator} refused: ${messageOf(text)}`);
}

async function ask(url: string): Promise<Response | undefined> {
  try {
    return await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    // Nobody listens there, or it is no simulator.
    if (Error.isError(error)) return undefined;
    throw error;
  }
}

function messageOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string } };
    return error?.message ?? text;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text;
  }
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}

await main();
