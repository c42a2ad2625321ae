import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { load, YAML11_SCHEMA } from 'js-yaml';
import { z } from 'zod';
import { settings } from '#libs/config/settings.js';

const root = path.resolve(import.meta.dirname, '..');

const serviceSchema = z.looseObject({
  image: z.string().optional(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  network_mode: z.string().optional(),
  ports: z.array(z.string()).optional(),
  healthcheck: z.object({
    test: z.array(z.string()).min(2),
    interval: z.string(),
    timeout: z.string(),
    retries: z.int(),
  }),
  depends_on: z.record(z.string(), z.object({ condition: z.literal('service_healthy') })).optional(),
});

const composeSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()),
});

/** What Compose substitutes from the environment. */
const SUBSTITUTED = /\$\{[A-Z_]+(:[?-][^}]*)?\}/;

describe('docker-compose.yml', () => {
  const read = async (): Promise<z.infer<typeof composeSchema>> =>
    composeSchema.parse(load(await readFile(path.join(root, 'docker-compose.yml'), 'utf8'), { schema: YAML11_SCHEMA }));

  it('has the four services, each with a health check and something to run', async () => {
    const { services } = await read();
    expect(Object.keys(services).sort()).toEqual(['api', 'postgres', 'simulator', 'worker']);
    expect(services.postgres?.image).toBe('postgres:18');
    for (const name of ['api', 'worker', 'simulator']) {
      const entry = services[name]?.command?.[1] ?? '';
      expect(entry).toMatch(/^dist\/apps\/[a-z]+\/main\.js$/);
      await access(path.join(root, entry.replace(/^dist\//, '').replace(/\.js$/, '.ts')));
    }
  });

  it('names only services that exist', async () => {
    const { services } = await read();
    for (const service of Object.values(services)) {
      const named = Object.keys(service.depends_on ?? {});
      if (service.network_mode !== undefined) named.push(service.network_mode.replace('service:', ''));
      for (const name of named) expect(services).toHaveProperty(name);
    }
  });

  it('holds no secret', async () => {
    const { services } = await read();
    const secrets = new Set(
      Object.values(settings)
        .filter((each) => each.secret)
        .map((each) => each.variable),
    );
    secrets.add('POSTGRES_PASSWORD');
    // The simulator takes any token.
    secrets.delete('ARM_TOKEN');
    for (const service of Object.values(services)) {
      for (const [variable, value] of Object.entries(service.environment ?? {})) {
        if (secrets.has(variable)) expect(value).toMatch(SUBSTITUTED);
      }
    }
  });

  it('sets only variables that exist', async () => {
    const { services } = await read();
    const known = new Set(Object.values(settings).map((each) => each.variable));
    for (const name of ['api', 'worker']) {
      for (const variable of Object.keys(services[name]?.environment ?? {})) expect(known).toContain(variable);
    }
  });

  it('publishes ports to this machine only', async () => {
    const { services } = await read();
    for (const service of Object.values(services)) {
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });
});

describe('the Dockerfile', () => {
  it('ends as an unprivileged user, with production packages only', async () => {
    const lines = (await readFile(path.join(root, 'Dockerfile'), 'utf8'))
      .split('\n')
      .filter((line) => /^[A-Z]/.test(line));
    const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
    expect(last).toContain('USER node');
    expect(last.some((line) => line.includes('--from=packages'))).toBe(true);
    expect(lines).toContain('RUN npm ci --omit=dev');
  });
});
