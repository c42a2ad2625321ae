import { delay } from '#libs/kernel/clock.js';
import type { Answer } from '../e2e/stack.js';

const PAUSE_MS = 250;
const PATIENCE_MS = 120_000;

/**
 * Asks until there is an answer: a connection that fails, "try again later" and the like are none. On a machine with more
 * to do than it can, connections fail without anybody's doing.
 */
export async function askPatiently(ask: () => Promise<Answer>): Promise<Answer> {
  for (const deadline = Date.now() + PATIENCE_MS; ;) {
    const answer = await ask().catch((error: unknown) => {
      // fetch has one name for all connections that fail.
      if (Error.isError(error) && (error.name === 'TypeError' || 'code' in error)) return undefined;
      throw error;
    });
    const isFinal =
      answer !== undefined &&
      answer.status !== 429 &&
      answer.status < 500 &&
      !(answer.status === 409 && answer.body.code === 'CONFLICT');
    if (isFinal) return answer;
    if (Date.now() > deadline) {
      throw new Error(`No answer within ${PATIENCE_MS / 1000} s; the last: ${JSON.stringify(answer?.body ?? null)}`);
    }
    await delay(PAUSE_MS);
  }
}
