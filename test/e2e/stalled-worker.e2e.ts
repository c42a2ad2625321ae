import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import { KubernetesId } from '#libs/kernel/kubernetes-id.js';
import { generateEstate, parseEstateSize } from '../../apps/simulator/estate.generator.js';
import { EvidenceCollector, WriteLog } from '../faults/evidence.collector.js';
import { groundOf, type FaultGround } from '../faults/operation-mix.js';
import { Stack } from './stack.js';

/** One worker is stopped right before it would write; another takes over; then the first goes on where it stood. */
describe('a worker that was stalled and comes back', () => {
  let stack: Stack;
  let ground: FaultGround;
  let collector: EvidenceCollector;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'pilothouse-stall-'));
    const estate = generateEstate(
      parseEstateSize('clusters=4,fleets=1,members=0,pools=1,podsPerCluster=2,deploymentsPerCluster=2'),
    );
    const file = path.join(directory, 'estate.json');
    await writeFile(file, JSON.stringify(estate));
    stack = await Stack.start({
      SIMULATOR_ESTATE: file,
      SIMULATOR_THROTTLE_SCALE: '0',
      WATCH_STREAMS: 'deployments,nodes',
    });
    ground = groundOf(estate, new Map());
    collector = new EvidenceCollector(stack);
  }, 240_000);

  afterAll(async () => {
    await stack.stop();
    await rm(directory, { recursive: true });
  }, 60_000);

  /** The next such answer is held back for a while: long enough to stop the worker that waits for it. */
  async function holdBack(match: Record<string, unknown>): Promise<() => Promise<void>> {
    const fault = { type: 'slow', milliseconds: 3_000 };
    const { body } = await stack.simulator('/faults', { method: 'POST', body: { match, times: 1, fault } });
    return async () => {
      await stack.until('the answer to be held back', async () => {
        // One that was played as often as it was to be is gone.
        const { status } = await stack.simulator(`/faults/${body.id}`);
        return status === 404;
      });
    };
  }

  const linesOf = (text: string): number => stack.output.split(text).length - 1;

  /** Stops the first worker, lets the second take over and the first come back; resolves when it has noticed. */
  async function stallWhile(other: () => Promise<void>): Promise<void> {
    stack.freeze('worker', 'SIGSTOP');
    await stack.run('second-worker');
    await other();
    const noticed = linesOf('The lease of this worker has lapsed');
    stack.freeze('worker', 'SIGCONT');
    await stack.until(
      'the stalled worker to notice',
      async () => linesOf('The lease of this worker has lapsed') > noticed,
    );
    await stack.kill('second-worker', 'SIGTERM');
  }

  it('sends no second change to Azure', async () => {
    const [nodePool] = ground.pools;
    const log = await WriteLog.follow(stack);
    const held = await holdBack({ method: 'GET', path: `agentPools/${ArmId.parse(nodePool!).name}` });
    const { body } = await stack.startOperation('aks.nodePool.scale', { nodePool, count: 7 });
    await held();
    await stallWhile(async () => {
      expect(await stack.endOf(body.id)).toMatchObject({ status: 'Succeeded' });
    });
    // What it would still do comes before what it is asked for next.
    const next = await stack.startOperation('aks.nodePool.scale', { nodePool, count: 6 });
    expect(await stack.endOf(next.body.id)).toMatchObject({ status: 'Succeeded' });
    await log.end();
    const sent = (correlationId: string) => log.writes.filter((write) => write.correlationId === correlationId);
    expect(sent(body.correlationId)).toHaveLength(1);
    expect(sent(next.body.correlationId)).toHaveLength(1);
  });

  it('does not take back in a cluster what was done since', async () => {
    const workload = ground.workloads[0]!;
    const log = await WriteLog.follow(stack);
    const { name } = KubernetesId.parse(workload);
    const ask = (replicas: number) =>
      stack.startOperation('kubernetes.workload.scale', { workload, replicas, waitForAvailable: false });
    // The checks read it first, the step next.
    const checked = await holdBack({ kind: 'kubernetes', method: 'GET', path: `/deployments/${name}$` });
    const { body } = await ask(3);
    await checked();
    const held = await holdBack({ kind: 'kubernetes', method: 'GET', path: `/deployments/${name}$` });
    await held();
    await stallWhile(async () => {
      expect(await stack.endOf(body.id)).toMatchObject({ status: 'Succeeded' });
      const later = await ask(1);
      expect(await stack.endOf(later.body.id)).toMatchObject({ status: 'Succeeded' });
    });
    await log.end();
    expect(log.writes.filter(({ correlationId }) => correlationId === body.correlationId)).toHaveLength(1);
    expect((await collector.estate(ground)).replicas[workload]).toBe(1);
  });
});
