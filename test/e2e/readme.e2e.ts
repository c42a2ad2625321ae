import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Stack, type Answer } from './stack.js';

const README = path.resolve(import.meta.dirname, '../../README.md');
const missing = ['bash', 'curl'].filter((program) => spawnSync(program, ['--version']).status !== 0);
const run = promisify(execFile);

/** The commands of the README as they stand there: what people try first has to work. */
(missing.length === 0 ? describe : describe.skip)(
  missing.length === 0 ? 'the commands of the README' : `SKIPPED: not on this machine: ${missing.join(', ')}`,
  () => {
    let stack: Stack;
    let blocks: string[];
    let directory: string;

    beforeAll(async () => {
      const text = await readFile(README, 'utf8');
      blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block);
      directory = await mkdtemp(path.join(tmpdir(), 'readme-'));
      stack = await Stack.start({ ENCRYPTION_KEYS: Buffer.alloc(32, 7).toString('base64') });
    }, 120_000);

    afterAll(async () => {
      await stack.stop();
      await rm(directory, { recursive: true, force: true });
    }, 60_000);

    /** The one command of the README that holds the text, with everything it needs. */
    function command(holding: string): string {
      const block = blocks.find((each) => each.includes(holding));
      const found = block?.split(/\n(?=[^\s])/).find((each) => each.includes(holding) && !each.startsWith('#'));
      if (found === undefined) throw new Error(`The README has no command with ${holding}`);
      return found;
    }

    async function shell(script: string): Promise<string> {
      const functions = ['send() {', 'graphql() {', 'FLEET='].map(command).join('\n');
      const whole = `${functions}\n${script}`.replaceAll('localhost:3000', `127.0.0.1:${stack.apiPort}`);
      const { stdout } = await run('bash', ['-euc', whole], {
        cwd: directory,
        env: { PATH: process.env.PATH, TOKEN: stack.adminToken },
      });
      return stdout;
    }

    const asked = async (holding: string): Promise<Answer['body']> => JSON.parse(await shell(command(holding)));

    async function done(operation: Answer['body']): Promise<void> {
      expect(await stack.endOf(operation.id)).toMatchObject({ status: 'Succeeded', error: null });
    }

    it('show the fleets', async () => {
      const { data } = await asked('{ fleets { partial');
      expect(data.fleets.nodes[0]).toMatchObject({
        name: 'aks-fleet01',
        members: [{ cluster: { name: 'demo-aks01' } }],
      });
      expect(await asked('managed-clusters?location')).toMatchObject({ items: expect.any(Array), partial: false });
    });

    it('join a cluster, take a role, and deploy to both members', async () => {
      const joined = await shell(command('Idempotency-Key: join-demo-aks02'));
      expect(joined).toMatch(/^HTTP\/1\.1 202/);
      await done(JSON.parse(joined.slice(joined.indexOf('\r\n\r\n'))));
      await done(await asked('fleet.roleAssignment.create'));
      await done(await asked('fleet.workload.deploy'));
      const data = await stack.until('four pods and their address', async () => {
        const { data: seen } = await asked('{ workloads(filter: {name: "kuard"})');
        const pods = seen.workloads.nodes.flatMap((node: Answer['body']) => node.pods);
        return pods.length === 4 && seen.multiClusterServices.nodes[0]?.externalAddresses.length === 1
          ? seen
          : undefined;
      });
      expect(data.workloads.nodes).toHaveLength(3);
    });

    it('attach a cluster by its kubeconfig', async () => {
      const printed = await fetch(`${stack.simulatorUrl}/_simulator/kubeconfig?cluster=demo-aks01`);
      await writeFile(path.join(directory, 'edge.yaml'), await printed.text());
      const attached: Answer['body'] = JSON.parse(
        await shell([command('> edge.json'), command('@edge.json')].join('\n')),
      );
      expect(attached).toMatchObject({ kind: 'AttachedCluster', name: 'edge', uid: expect.any(String) });
    });
  },
);
