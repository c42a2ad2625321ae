import { describe, expect, it } from '@jest/globals';
import { ArmId } from '#libs/kernel/arm-id.js';
import type { JsonObject } from '#libs/kernel/json.js';
import {
  CONNECTED_ENVIRONMENT_ID,
  CUSTOM_LOCATION_ID,
  DEFAULT_HOST_NAME,
  HOST_NAME,
  WEB_APP_ID,
  webAppBody,
  webAppConfigBody,
} from '#libs/testing/app-service-samples.js';
import { AppServiceWorld } from '#libs/testing/app-service-world.js';
import { describeWebApp } from './app-service.kinds.js';
import { migrationOf } from './migration.operations.js';

function planned(config: JsonObject = {}, change: JsonObject = {}, settings: string[] = [], name = 'k8swebapp2') {
  const id = ArmId.parse(WEB_APP_ID.replace('k8swebapp2', name));
  const body = webAppBody(change);
  const siteConfig = { ...(webAppConfigBody().properties as JsonObject), ...config };
  const properties = describeWebApp({ ...(body.properties as JsonObject), siteConfig });
  const plan = migrationOf({ id, body, properties }, settings, CONNECTED_ENVIRONMENT_ID);
  return { ...plan, codes: plan.lost.map(({ code }) => code) };
}

describe('the container app that a web app would become', () => {
  it('lies where the web app lies, and runs as often', () => {
    expect(planned({ linuxFxVersion: 'DOCKER|example.com/shop:1', numberOfWorkers: 3 }).containerApp).toMatchObject({
      location: 'eastus',
      extendedLocation: { name: CUSTOM_LOCATION_ID, type: 'CustomLocation' },
      properties: {
        environmentId: CONNECTED_ENVIRONMENT_ID,
        configuration: { ingress: { external: true, targetPort: 8080 } },
        template: {
          containers: [{ name: 'k8swebapp2', image: 'example.com/shop:1' }],
          scale: { minReplicas: 3, maxReplicas: 10 },
        },
      },
    });
  });

  it('may scale to zero where the web app was not kept running', () => {
    const { containerApp } = planned({ alwaysOn: false });
    expect(containerApp).toMatchObject({ properties: { template: { scale: { minReplicas: 0 } } } });
  });

  it('refers to its settings as secrets, and leaves out those of App Service', () => {
    const { containerApp, codes } = planned({}, {}, [
      'API_KEY',
      'K8SE_APP_MAX_INSTANCE_COUNT',
      'DOCKER_REGISTRY_SERVER_URL',
    ]);
    expect(containerApp).toMatchObject({
      properties: {
        configuration: { secrets: [{ name: 'api-key', value: '' }] },
        template: { containers: [{ env: [{ name: 'API_KEY', secretRef: 'api-key' }] }] },
      },
    });
    expect(codes).toEqual(expect.arrayContaining(['SETTING_VALUES', 'SETTINGS_OF_APP_SERVICE']));
  });

  it.each([
    { name: 'Shop', wanted: 'shop', reason: 'lower case' },
    { name: '2fast--app', wanted: 'fast-app', reason: 'a letter first, single hyphens' },
    { name: 'a'.repeat(60), wanted: 'a'.repeat(32), reason: 'at most 32 characters' },
  ])('has a name that Container Apps takes: $reason', ({ name, wanted }) => {
    const { containerApp, codes } = planned({}, {}, [], name);
    expect(containerApp).toMatchObject({ properties: { template: { containers: [{ name: wanted }] } } });
    expect(codes).toContain('NAME_CHANGED');
  });
});

describe('what is lost with a move', () => {
  const own = { hostNameSslStates: [{ name: DEFAULT_HOST_NAME }, { name: HOST_NAME, thumbprint: 'AA' }] };
  it.each([
    { config: {}, change: {}, code: 'BUILT_IN_RUNTIME', is: true, reason: 'Container Apps runs images' },
    { config: { linuxFxVersion: 'DOCKER|a:1' }, change: {}, code: 'BUILT_IN_RUNTIME', is: false, reason: 'it is one' },
    { config: {}, change: {}, code: 'DEFAULT_HOST_NAME', is: true, reason: 'it ends with the web app' },
    { config: {}, change: own, code: 'HOST_NAMES', is: true, reason: 'they are bound anew' },
    { config: {}, change: own, code: 'CERTIFICATES', is: true, reason: 'keys do not come out of App Service' },
    { config: {}, change: {}, code: 'CERTIFICATES', is: false, reason: 'there are none' },
    { config: {}, change: { httpsOnly: true }, code: 'PLAIN_HTTP', is: false, reason: 'nobody uses it' },
    { config: {}, change: {}, code: 'DEPLOYMENT_SITE', is: true, reason: 'there is no such site' },
  ])('$code: $is: $reason', ({ config, change, code, is }) => {
    expect(planned(config, change).codes.includes(code)).toBe(is);
  });

  it('is told without changing anything, and without the values of settings', async () => {
    const world = new AppServiceWorld();
    world.settings = { API_KEY: 'hush' };
    const play = world.play('appService.webApp.planMigration', { webApp: WEB_APP_ID });
    expect(await play.step('read')).toMatchObject({ outcome: 'done' });
    const verification = await play.verify();
    expect(verification).toMatchObject({
      verdict: 'reached',
      result: { containerApp: { properties: { environmentId: CONNECTED_ENVIRONMENT_ID } } },
    });
    expect(JSON.stringify(verification)).not.toContain('hush');
    expect(world.arm.writes()).toEqual([]);
  });
});
