import { afterAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { armApiVersion } from '#libs/azure/arm-api-versions.js';
import { ArmId } from '#libs/kernel/arm-id.js';
import { collected, describeSystem, targetOf } from '#libs/systems/contract/system.contract-suite.js';
import { TEST_PFX, TEST_PFX_PASSWORD, TEST_PFX_THUMBPRINT } from '#libs/testing/app-service-samples.js';
import { SCHEMAS_ARE_HERE, WHY_SKIPPED, schemaFaults } from '../../apps/simulator/arm-schema.validator.js';
import { SUBSCRIPTION } from './azure-on-simulator.js';
import {
  AppServiceOnSimulator,
  CERTIFICATE,
  CONNECTED_ENVIRONMENT,
  CONTAINER_APP,
  CONTAINER_LOCATION,
  CUSTOM_LOCATION,
  ENABLE,
  ENVIRONMENT,
  EXTENSION,
  HOST_NAME,
  PLAN,
  WEB_APP,
  referencesOf,
} from './app-service-on-simulator.js';

const world = await AppServiceOnSimulator.start();
await world.deployWebApp();
await world.play('appService.hostName.add', { webApp: WEB_APP, hostName: HOST_NAME });
await world.play('appService.certificate.upload', {
  plan: PLAN,
  name: 'webapps',
  pfx: TEST_PFX,
  password: TEST_PFX_PASSWORD,
});
await world.deployContainerApps();
afterAll(() => world.stop());

const call = { correlationId: 'app-service', signal: new AbortController().signal };

async function samples(): Promise<Record<string, JsonObject[]>> {
  const found: Record<string, JsonObject[]> = {};
  for (const collector of world.system.collectors) {
    const { batches } = await collected(collector.collect(collector.scopes([SUBSCRIPTION])[0]!, call));
    for (const { kind, properties } of batches.flat()) (found[kind] ??= []).push(properties);
  }
  return found;
}

const inputs: Record<string, JsonObject> = {
  'appService.enable': ENABLE,
  'appService.environment.create': { customLocation: CUSTOM_LOCATION, name: 'akshci-env', staticIp: '192.168.0.102' },
  'appService.environment.delete': { environment: `${ENVIRONMENT}2` },
  'appService.plan.create': { environment: ENVIRONMENT, name: 'second' },
  'appService.webApp.create': { plan: PLAN, name: 'other', runtime: 'NODE|22-lts' },
  'appService.webApp.scale': { webApp: WEB_APP, instances: 2 },
  'appService.webApp.restart': { webApp: WEB_APP },
  'appService.webApp.configure': { webApp: WEB_APP, settings: { MODE: 'test' } },
  'appService.webApp.delete': { webApp: WEB_APP },
  'appService.webApp.planMigration': { webApp: WEB_APP },
  'appService.hostName.add': { webApp: WEB_APP, hostName: 'second.example.com' },
  'appService.hostName.remove': { webApp: WEB_APP, hostName: HOST_NAME },
  'appService.certificate.upload': { plan: PLAN, name: 'second', pfx: TEST_PFX, password: TEST_PFX_PASSWORD },
  'appService.certificate.bind': { webApp: WEB_APP, hostName: HOST_NAME, certificate: CERTIFICATE },
  'containerApps.environment.create': { customLocation: CONTAINER_LOCATION, name: 'apps-env' },
  'containerApps.app.create': { environment: CONNECTED_ENVIRONMENT, name: 'second', image: 'example.com/second:1' },
  'containerApps.app.scale': { containerApp: CONTAINER_APP, minReplicas: 2, maxReplicas: 4 },
  'containerApps.app.delete': { containerApp: CONTAINER_APP },
};

describeSystem('app-service, on the simulator', {
  otherKinds: ['ConnectedCluster', 'CustomLocation', 'Workload', 'Pod'],
  samples: await samples(),
  operations: Object.fromEntries(
    Object.entries(inputs).map(([type, input]) => [type, { input, references: referencesOf(input) }]),
  ),
  world: () => ({
    system: world.system,
    subscriptionId: SUBSCRIPTION,
    absent: [
      targetOf(`${WEB_APP}x`, 'WebApp'),
      targetOf(`${WEB_APP}/hostNameBindings/gone.example.com`, 'HostNameBinding'),
      targetOf(`${CONTAINER_APP}x`, 'ContainerApp'),
    ],
  }),
});

describe('appService.enable, when the worker dies before it could save what it had started', () => {
  it('starts nothing twice', async () => {
    const slow = await AppServiceOnSimulator.start(0.3);
    try {
      await slow.setFeatures('cluster-connect', 'custom-locations');
      const player = slow.player('appService.enable', ENABLE);
      for (const step of ['feature', 'extension', 'custom-location', 'environment']) {
        for (
          let outcome = await player.runStep(step);
          outcome.outcome !== 'done';
          outcome = await player.runStep(step)
        ) {
          expect(outcome.outcome).toBe('wait');
          player.forgetToken();
          await slow.world.pass(1);
        }
      }
      const made = (await slow.world.requests({ method: 'PUT' })).map(({ path }) => path);
      expect(made).toEqual([EXTENSION, CUSTOM_LOCATION, ENVIRONMENT]);
    } finally {
      await slow.stop();
    }
  });
});

const PODS_MS = 4_000;

describe('scenario B on the simulator', () => {
  const podsOf = async (): Promise<number> => {
    const [collector] = world.system.collectors;
    const result = await collector!.observe(targetOf(WEB_APP, 'WebApp'), call);
    const webApp = result.state === 'present' ? result.observations[0] : undefined;
    return webApp?.relations.filter(({ type, to }) => type === 'owns' && to.includes('/Pod/')).length ?? 0;
  };

  /** Pods that are being replaced are there for a while yet. */
  async function untilPods(count: number): Promise<void> {
    const deadline = Date.now() + PODS_MS;
    while ((await podsOf()) !== count) {
      if (Date.now() > deadline) throw new Error(`There are ${await podsOf()} pods, and not ${count}`);
      await world.world.pass(1);
    }
  }

  it('runs the web app as pods, as many as it is scaled to', async () => {
    expect(await podsOf()).toBe(1);
    await world.play('appService.webApp.scale', { webApp: WEB_APP, instances: 2 });
    await untilPods(2);
  });

  it('scales beyond the greatest number of instances by raising it', async () => {
    await world.play('appService.webApp.configure', {
      webApp: WEB_APP,
      settings: { K8SE_APP_MAX_INSTANCE_COUNT: '2' },
    });
    expect(await world.player('appService.webApp.scale', { webApp: WEB_APP, instances: 3 }).findings()).toEqual([
      'warning LIMIT_RAISED',
    ]);
    await world.play('appService.webApp.scale', { webApp: WEB_APP, instances: 3 });
    await untilPods(3);
  });

  it('starts new pods in the place of the old ones', async () => {
    const { result } = await world.play('appService.webApp.restart', { webApp: WEB_APP });
    expect(result).toMatchObject({ state: 'Running' });
    const restarts = await world.world.requests({ method: 'POST', path: '/restart$' });
    expect(restarts).toHaveLength(1);
  });

  it('binds the certificate with the extended location in every request to the app', async () => {
    const bound = await world.play('appService.certificate.bind', {
      webApp: WEB_APP,
      hostName: HOST_NAME,
      certificate: CERTIFICATE,
    });
    expect(bound.result).toMatchObject({ thumbprint: TEST_PFX_THUMBPRINT, sslState: 'SniEnabled' });
    const writes = (await world.world.requests()).filter(
      ({ method, path }) => ['PUT', 'PATCH'].includes(method) && /\/sites\/[^/]+$/.test(path),
    );
    expect(writes.length).toBeGreaterThan(1);
    for (const { body } of writes) {
      expect(body).toMatchObject({
        location: 'eastus',
        extendedLocation: { name: CUSTOM_LOCATION, type: 'CustomLocation' },
      });
    }
  });

  it('keeps what is in a certificate to itself', async () => {
    const log = JSON.stringify(await samples());
    expect(log).not.toContain(TEST_PFX.slice(0, 40));
    expect(log).not.toContain(TEST_PFX_PASSWORD);
  });

  it('scales a container app without losing what it has', async () => {
    await world.play('containerApps.app.scale', { containerApp: CONTAINER_APP, minReplicas: 2, maxReplicas: 4 });
    const [collector] = world.system.collectors;
    const result = await collector!.observe(targetOf(CONTAINER_APP, 'ContainerApp'), call);
    expect(result.state === 'present' ? result.observations[0]?.properties : undefined).toMatchObject({
      configuration: { ingress: { targetPort: 80 } },
      template: { scale: { minReplicas: 2, maxReplicas: 4 }, containers: [{ name: 'shop' }] },
    });
  });

  it('plans the move of the web app and changes nothing', async () => {
    const before = await world.world.writes();
    const { result } = await world.play('appService.webApp.planMigration', { webApp: WEB_APP });
    expect(await world.world.writes()).toEqual(before);
    const { lost } = result as { lost: { code: string }[] };
    expect(lost.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['BUILT_IN_RUNTIME', 'HOST_NAMES', 'CERTIFICATES', 'SETTINGS_OF_APP_SERVICE']),
    );
  });
});

if (!SCHEMAS_ARE_HERE) console.warn(WHY_SKIPPED);
(SCHEMAS_ARE_HERE ? describe : describe.skip)('what we sent, by the official ARM schemas', () => {
  /** There is no official schema of these. */
  const WITHOUT_SCHEMA = ['microsoft.web/sites/config'];

  it('is faultless', async () => {
    const puts = (await world.world.requests({ method: 'PUT' })).filter(({ status }) => (status ?? 500) < 300);
    const checked = new Set<string>();
    for (const put of puts) {
      const { type, canonicalType } = ArmId.parse(put.path);
      if (!/^microsoft\.(web|app)\//.test(canonicalType) || WITHOUT_SCHEMA.includes(canonicalType)) continue;
      const { extendedLocation, ...rest } = put.body as JsonObject;
      // ARM's envelope has the extended location of every type; the schema of certificates leaves it out.
      const body = canonicalType === 'microsoft.web/certificates' ? rest : (put.body as JsonObject);
      if (canonicalType.startsWith('microsoft.web/certificates')) expect(extendedLocation).toBeDefined();
      expect({ type, faults: schemaFaults(type, armApiVersion(type), 'request', body) }).toEqual({ type, faults: [] });
      checked.add(canonicalType);
    }
    expect([...checked].sort()).toEqual([
      'microsoft.app/connectedenvironments',
      'microsoft.app/containerapps',
      'microsoft.web/certificates',
      'microsoft.web/kubeenvironments',
      'microsoft.web/serverfarms',
      'microsoft.web/sites',
      'microsoft.web/sites/hostnamebindings',
    ]);
  });

  it.each([
    ENVIRONMENT,
    PLAN,
    WEB_APP,
    `${WEB_APP}/hostNameBindings/${HOST_NAME}`,
    CERTIFICATE,
    CONNECTED_ENVIRONMENT,
    CONTAINER_APP,
  ])('what the simulator answers: %s', async (id) => {
    const { type } = ArmId.parse(id);
    const reading = await world.world.azure.arm.get(id, armApiVersion(type), call);
    const { extendedLocation: _place, ...rest } = reading.state === 'found' ? reading.body : {};
    const body = type === 'Microsoft.Web/certificates' ? rest : { ...rest, extendedLocation: _place };
    const shown = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
    expect(schemaFaults(type, armApiVersion(type), 'response', shown as JsonObject)).toEqual([]);
  });
});
