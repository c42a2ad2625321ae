import { afterEach, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { pino } from 'pino';
import { readConfiguration } from '#libs/config/configuration.js';
import { Database } from '#libs/database/database.js';
import { ObservationWriter } from '#libs/inventory/observation.writer.js';
import { Authenticator } from '#libs/access/authenticator.js';
import { Secret } from '#libs/kernel/secret.js';
import { SystemRegistry } from '#libs/systems/contract/system-registry.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { createApiApplication } from '../../apps/api/api.application.js';
import { ApiModule } from '../../apps/api/api.module.js';
import { DEFAULT_API_SETTINGS } from '../../apps/api/api.settings.js';
import { createSimulator } from '../../apps/simulator/simulator.server.js';

const TOKEN = 'statements';
const ESTATE_QUERY = `{
  fleets(first: 100) {
    partial
    nodes {
      name
      freshness { observedAt ageSeconds source }
      members(first: 100) { name group freshness { ageSeconds } cluster { name kubernetesVersion nodePools { name count freshness { ageSeconds } } } }
    }
  }
}`;

interface EstateAnswer {
  data: { fleets: { nodes: { members: unknown[] }[] } };
  errors?: unknown;
}

/** The API over a real database that holds a simulated estate. */
class Estate {
  private constructor(
    private readonly test: TestDatabase,
    private readonly simulator: Awaited<ReturnType<typeof createSimulator>>,
    private readonly application: NestFastifyApplication,
    private readonly database: Database,
  ) {}

  static async start(clusters: number, fleets: number): Promise<Estate> {
    const test = await createTestDatabase();
    const simulator = await createSimulator({
      estate: {
        subscriptions: 1,
        clusters,
        fleets,
        members: clusters,
        pools: 2,
        podsPerCluster: 0,
        deploymentsPerCluster: 0,
        seed: 1,
      },
      settings: { throttleScale: 0, indexLagSeconds: 0 },
    });
    const configuration = readConfiguration({
      DATABASE_URL: test.url.reveal(),
      ARM_ENDPOINT: await simulator.listen(),
      ARM_TOKEN: 'any',
    });
    const logger = pino({ level: 'silent' });
    const module = ApiModule.register(configuration, DEFAULT_API_SETTINGS, logger);
    const application = await createApiApplication(module, DEFAULT_API_SETTINGS, logger);
    const database = application.get(Database);
    await application.get(Authenticator).configure([{ name: 'reader', role: 'viewer', token: new Secret(TOKEN) }]);
    const estate = new Estate(test, simulator, application, database);
    await estate.#collect();
    return estate;
  }

  /** What the query answers, and the statements that it took. */
  async ask(query: string): Promise<{ data: EstateAnswer['data']; statements: string[] }> {
    const statements: string[] = [];
    const original = this.database.query.bind(this.database);
    this.database.query = (text, values, name) => {
      statements.push(name ?? text);
      return original(text, values, name);
    };
    try {
      const instance = this.application.getHttpAdapter().getInstance();
      const answer = await instance.inject({
        method: 'POST',
        url: '/graphql',
        headers: { authorization: `Bearer ${TOKEN}` },
        payload: { query },
      });
      const body = answer.json<EstateAnswer>();
      expect(body.errors).toBeUndefined();
      return { data: body.data, statements };
    } finally {
      this.database.query = original;
    }
  }

  async stop(): Promise<void> {
    await this.application.close();
    await this.database.close();
    await this.simulator.close();
    await this.test.drop();
  }

  async #collect(): Promise<void> {
    const registry = this.application.get(SystemRegistry);
    const writer = this.application.get(ObservationWriter);
    const context = { signal: new AbortController().signal, correlationId: 'collect' };
    const health = await this.simulator.app.inject({ url: '/_simulator/health' });
    const ids = health
      .json<{ subscriptions: { subscriptionId: string }[] }>()
      .subscriptions.map((each) => each.subscriptionId);
    for (const collector of registry.collectors) {
      for (const scope of collector.scopes(ids)) {
        for await (const batch of collector.collect(scope, context)) {
          await this.database.transaction((transaction) => writer.apply(transaction, batch, { scopeKey: null }));
        }
      }
    }
  }
}

describe('one GraphQL query over fleets, members, clusters and pools', () => {
  const estates: Estate[] = [];

  afterEach(async () => {
    for (const estate of estates.splice(0)) await estate.stop();
  });

  it('takes a constant number of SQL statements, however large the estate', async () => {
    const [small, large] = [await Estate.start(4, 2), await Estate.start(40, 10)];
    estates.push(small, large);
    // The first request of a token looks it up.
    await small.ask('{ fleets { nodes { members { name } } } }');
    await large.ask('{ fleets { nodes { members { name } } } }');

    const ofSmall = await small.ask(ESTATE_QUERY);
    const ofLarge = await large.ask(ESTATE_QUERY);
    const members = ofLarge.data.fleets.nodes.flatMap((fleet) => fleet.members);
    expect(ofLarge.data.fleets.nodes).toHaveLength(10);
    expect(members).toHaveLength(40);
    expect(members[0]).toMatchObject({ cluster: { nodePools: [expect.anything(), expect.anything()] } });
    expect(ofLarge.statements).toEqual(ofSmall.statements);
    // A page, the state of its scopes, and one for each level of relations.
    expect(ofLarge.statements).toHaveLength(5);
  });
});
