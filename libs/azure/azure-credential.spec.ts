import { describe, expect, it } from '@jest/globals';
import { Secret } from '#libs/kernel/secret.js';
import { ArmEndpoint } from './arm-endpoint.js';
import { createAzureCredential } from './azure-credential.js';

const cloud = new ArmEndpoint('https://management.azure.com');
const simulator = new ArmEndpoint('http://localhost:3100');

describe('createAzureCredential', () => {
  it('takes a static token for a loopback address', async () => {
    const credential = createAzureCredential(simulator, new Secret('fixed'));
    await expect(credential.getToken('scope')).resolves.toMatchObject({ token: 'fixed' });
  });

  it('refuses one for a real cloud: it would be a long-lived secret sent over the network', () => {
    expect(() => createAzureCredential(cloud, new Secret('fixed'))).toThrow(TypeError);
  });

  it('loads the chain with the first token, once', async () => {
    let loads = 0;
    const credential = createAzureCredential(cloud, undefined, () => {
      loads += 1;
      return Promise.resolve({ getToken: () => Promise.resolve({ token: 't', expiresOnTimestamp: 0 }) });
    });
    expect(loads).toBe(0);
    await credential.getToken('scope');
    await credential.getToken('scope');
    expect(loads).toBe(1);
  });

  it('says what to do when no token can be had, and that it may pass', async () => {
    const failing = { getToken: () => Promise.reject(new Error('no identity here')) };
    const credential = createAzureCredential(cloud, undefined, () => Promise.resolve(failing));
    await expect(credential.getToken('scope')).rejects.toMatchObject({
      code: 'AZURE_UNAUTHENTICATED',
      retry: { kind: 'backoff' },
      remedy: expect.stringContaining('AZURE_CLIENT_ID'),
    });
  });

  it('lets an aborted call end with its own error', async () => {
    const reason = new Error('shutting down');
    const failing = { getToken: () => Promise.reject(reason) };
    const credential = createAzureCredential(cloud, undefined, () => Promise.resolve(failing));
    await expect(credential.getToken('scope', { abortSignal: AbortSignal.abort() })).rejects.toBe(reason);
  });
});
