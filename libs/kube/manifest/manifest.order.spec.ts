import { describe, expect, it } from '@jest/globals';
import { inInstallOrder } from './manifest.order.js';
import { parseManifest } from './manifest.parser.js';

function entriesOf(...types: string[]) {
  const text = types.map((type, at) => {
    const slash = type.lastIndexOf('/');
    return `apiVersion: ${type.slice(0, slash)}\nkind: ${type.slice(slash + 1)}\nmetadata: {name: n${at}}\n`;
  });
  return parseManifest(text.join('---\n')).entries.flatMap((entry) => (entry.verdict === 'sound' ? [entry] : []));
}

describe('the order of a manifest', () => {
  const written = [
    'placement.kubernetes-fleet.io/v1/ClusterResourcePlacement',
    'apps/v1/Deployment',
    'v1/Service',
    'v1/ConfigMap',
    'apiextensions.k8s.io/v1/CustomResourceDefinition',
    'v1/Namespace',
  ];
  const installed = ['Namespace', 'CustomResourceDefinition', 'ConfigMap', 'Service', 'Deployment'];

  it('puts first what others stand on, and last what nobody here knows', () => {
    const kinds = inInstallOrder(entriesOf(...written)).map(({ kind }) => kind);
    expect(kinds).toEqual([...installed, 'ClusterResourcePlacement']);
  });

  it('leaves the same kinds as they are written', () => {
    const names = inInstallOrder(entriesOf('v1/Service', 'v1/ConfigMap', 'v1/Service', 'v1/ConfigMap'));
    expect(names.map(({ name }) => name)).toEqual(['n1', 'n3', 'n0', 'n2']);
  });

  it('does not take a kind of another group for one that it knows', () => {
    const kinds = inInstallOrder(entriesOf('serving.knative.dev/v1/Service', 'apps/v1/Deployment'));
    expect(kinds.map(({ kind }) => kind)).toEqual(['Deployment', 'Service']);
  });
});
