import { describe, expect, it } from '@jest/globals';
import { offeredExtensionVersions, runsOn } from './extension-version.rules.js';

const entry = (version: string | null) => ({ properties: { version } });

describe('the versions of an extension type', () => {
  it('come with the newest first, without what names no version', () => {
    const found = offeredExtensionVersions([entry('0.9.1'), entry('0.12.2'), entry(null), entry('0.12.1')]);
    expect(found.map(({ version }) => version)).toEqual(['0.12.2', '0.12.1', '0.9.1']);
  });

  it.each([
    { versions: ['1.24'], given: '1.24.3', runs: false, reason: 'every patch version is meant' },
    { versions: ['1.24.*'], given: 'v1.24.3+k3s1', runs: false, reason: 'the distribution adds something of its own' },
    { versions: ['1.24.3'], given: '1.24.4', runs: true, reason: 'another patch version is meant' },
    { versions: ['1.2'], given: '1.24.3', runs: true, reason: '1.2 is not 1.24' },
    { versions: [], given: '1.24.3', runs: true, reason: 'nothing is excluded' },
    { versions: ['1.24'], distributions: ['AKS_Workload'], given: '1.24.3', runs: false, reason: 'it is this one' },
    { versions: ['1.24'], distributions: ['*'], given: '1.24.3', runs: false, reason: 'all distributions are meant' },
    { versions: ['1.24'], distributions: ['openshift'], given: '1.24.3', runs: true, reason: 'it is another one' },
  ])('run on $given or not ($versions, $distributions): $reason', ({ versions, distributions = [], given, runs }) => {
    const [version] = offeredExtensionVersions([
      {
        properties: {
          version: '1.0.0',
          unsupportedKubernetesVersions: { connectedCluster: [{ distributions, unsupportedVersions: versions }] },
        },
      },
    ]);
    expect(runsOn(version!, { kubernetesVersion: given, distribution: 'aks_workload' })).toBe(runs);
  });
});
