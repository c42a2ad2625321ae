import { describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import {
  CUSTOM_LOCATION_ID,
  DEFAULT_HOST_NAME,
  SUBSCRIPTION,
  WEB_APP_ID,
  webAppBody,
} from '#libs/testing/app-service-samples.js';
import { AppServiceWorld, appPod } from '#libs/testing/app-service-world.js';
import { refusal } from '#libs/testing/fake-arm.js';
import { collected, targetOf } from '../contract/system.contract-suite.js';
import { AppServiceClient } from './app-service.client.js';
import { AppServiceCollector } from './app-service.collector.js';

const call = { correlationId: 'test', signal: new AbortController().signal };

function collect(world: AppServiceWorld) {
  const collector = new AppServiceCollector(new AppServiceClient(world.arm.azure()), world.kube);
  return {
    collector,
    all: async () => {
      const { batches, outcome } = await collected(collector.collect(collector.scopes([SUBSCRIPTION])[0]!, call));
      return { kinds: batches.flat().map(({ kind }) => kind), observations: batches.flat(), outcome };
    },
  };
}

const EVERYTHING = [
  'AppCertificate',
  'AppServicePlan',
  'ConnectedEnvironment',
  'ContainerApp',
  'HostNameBinding',
  'KubeEnvironment',
  'WebApp',
];

describe('the collector of App Service', () => {
  it('asks Resource Graph once for everything', async () => {
    const world = new AppServiceWorld();
    const { kinds, outcome } = await collect(world).all();
    expect([kinds.sort(), outcome.state]).toEqual([EVERYTHING, 'complete']);
    expect(world.arm.requests.filter(({ path }) => path.endsWith('Microsoft.ResourceGraph/resources'))).toHaveLength(1);
  });

  it('reads each custom location and the pods of each namespace once', async () => {
    const world = new AppServiceWorld();
    await collect(world).all();
    expect(world.arm.requests.filter(({ path }) => path.endsWith('/customLocations/akshci-apps'))).toHaveLength(1);
    expect(world.kube.requests.filter(({ verb }) => verb === 'list')).toHaveLength(1);
  });

  it('finds the pods of a web app by their labels', async () => {
    const world = new AppServiceWorld();
    world.runPods(2);
    world.cluster.add(appPod('other', { app: 'other' }), appPod('build', { 'k8se.microsoft.com/owner': 'build' }));
    const { observations } = await collect(world).all();
    const webApp = observations.find(({ kind }) => kind === 'WebApp');
    const pods = webApp?.relations.filter(({ to }) => to.includes('/Pod/')).map(({ to }) => to.split('/').at(-1));
    expect(pods).toEqual(['k8swebapp2-a0', 'k8swebapp2-a1']);
  });

  it('shows a web app although its cluster is out of reach', async () => {
    const world = new AppServiceWorld();
    world.cluster.refuse({}, new ControlError('CLUSTER_ACCESS_MISSING', 'No access.'));
    const { kinds, outcome } = await collect(world).all();
    expect([kinds.sort(), outcome.state]).toEqual([EVERYTHING, 'complete']);
  });

  it('leaves out what it could not look into, and says so', async () => {
    const world = new AppServiceWorld();
    world.arm.answer('GET', /\/config\/web$/, refusal(403, 'AuthorizationFailed', 'No.'));
    const { kinds, outcome } = await collect(world).all();
    expect(kinds.sort()).toEqual(EVERYTHING.filter((kind) => kind !== 'WebApp' && kind !== 'HostNameBinding'));
    expect(outcome).toMatchObject({ state: 'partial', problem: { code: 'AZURE_FORBIDDEN' } });
  });

  it('misses nothing of a web app that was deleted meanwhile', async () => {
    const world = new AppServiceWorld();
    world.arm.answer('GET', /\/hostNameBindings$/, refusal(404, 'ResourceNotFound', 'Gone.'));
    const { kinds, outcome } = await collect(world).all();
    expect([kinds.includes('WebApp'), outcome.state]).toEqual([false, 'complete']);
  });

  it('looks into web apps on Kubernetes alone', async () => {
    const world = new AppServiceWorld();
    const { extendedLocation: _place, ...ordinary } = webAppBody();
    world.arm.set(WEB_APP_ID, { ...ordinary, kind: 'app,linux' });
    const { kinds } = await collect(world).all();
    expect(kinds).not.toContain('HostNameBinding');
    expect(world.arm.requests.some(({ path }) => path.endsWith('/config/web'))).toBe(false);
  });

  it('lists the types one by one where Resource Graph fails, and keeps what it could see', async () => {
    const world = new AppServiceWorld();
    world.arm.answer('POST', /resources$/, refusal(403, 'AuthorizationFailed', 'No.'));
    world.arm.answer('GET', /providers\/Microsoft\.App\/containerApps$/, refusal(403, 'AuthorizationFailed', 'No.'));
    const { kinds, outcome } = await collect(world).all();
    expect(kinds.sort()).toEqual(EVERYTHING.filter((kind) => kind !== 'ContainerApp'));
    expect(outcome).toMatchObject({
      state: 'partial',
      missing: expect.stringContaining('Microsoft.App/containerApps'),
    });
  });

  it('misses nothing where a provider is not registered', async () => {
    const world = new AppServiceWorld();
    world.arm.answer('POST', /resources$/, refusal(403, 'AuthorizationFailed', 'No.'));
    const unregistered = refusal(409, 'MissingSubscriptionRegistration', 'The subscription is not registered.');
    world.arm.answer('GET', /providers\/Microsoft\.App\/[a-zA-Z]+$/, unregistered);
    const { kinds, outcome } = await collect(world).all();
    expect(kinds.sort()).toEqual(EVERYTHING.filter((kind) => !['ConnectedEnvironment', 'ContainerApp'].includes(kind)));
    expect(outcome).toEqual({ state: 'complete' });
  });

  it('fails when nothing at all can be asked for', async () => {
    const world = new AppServiceWorld();
    world.arm.answer('POST', /./, refusal(403, 'AuthorizationFailed', 'No.'));
    world.arm.answer('GET', /./, refusal(403, 'AuthorizationFailed', 'No.'));
    await expect(collect(world).all()).rejects.toMatchObject({ code: 'AZURE_FORBIDDEN' });
  });

  it('shows an environment whose custom location is gone without a cluster', async () => {
    const world = new AppServiceWorld();
    world.arm.remove(CUSTOM_LOCATION_ID);
    const { observations, outcome } = await collect(world).all();
    expect(outcome.state).toBe('complete');
    expect(observations.every(({ clusterUid }) => clusterUid === null)).toBe(true);
  });

  it('looks at a host name together with its web app', async () => {
    const { collector } = collect(new AppServiceWorld());
    const target = targetOf(`${WEB_APP_ID}/hostNameBindings/${DEFAULT_HOST_NAME}`, 'HostNameBinding');
    const result = await collector.observe(target, call);
    expect(result.state === 'present' ? result.observations.map(({ kind }) => kind) : []).toEqual([
      'WebApp',
      'HostNameBinding',
    ]);
  });
});
