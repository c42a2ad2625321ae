import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '#libs/kernel/json.js';
import { SchemaCatalog } from '../schema/schema.catalog.js';
import { hubDefinitions, memberDefinitions } from './fleet.definitions.js';

const OWN = path.join(import.meta.dirname, 'fleet');
/** Where the copies come from; it lies beside the repository and is not part of it. */
const ORIGINALS = path.resolve(import.meta.dirname, '../../../../../shared/fleet-crds');

function names(definitions: readonly JsonObject[]): string[] {
  return definitions.map((definition) => (definition.metadata as { name: string }).name);
}

describe('the definitions of Fleet', () => {
  it('can all be served by a hub', () => {
    const catalog = new SchemaCatalog();
    for (const definition of hubDefinitions()) catalog.addDefinition(definition);
    for (const [group, version, kind] of [
      ['cluster.kubernetes-fleet.io', 'v1', 'MemberCluster'],
      ['placement.kubernetes-fleet.io', 'v1beta1', 'ClusterResourcePlacement'],
      ['networking.fleet.azure.com', 'v1alpha1', 'MultiClusterService'],
      ['multicluster.x-k8s.io', 'v1alpha1', 'ClusterProfile'],
    ] as const) {
      expect(catalog.find(group, version, kind)?.type).toBe('object');
    }
  });

  it('have on a member what its agents put there', () => {
    expect(names(memberDefinitions())).toEqual([
      'multiclusterservices.networking.fleet.azure.com',
      'serviceexports.networking.fleet.azure.com',
      'serviceimports.networking.fleet.azure.com',
      'appliedworks.placement.kubernetes-fleet.io',
    ]);
  });

  it('are parsed once', () => {
    const hub = hubDefinitions();
    expect(hubDefinitions()[0]).toBe(hub[0]);
    expect(hub).toEqual(expect.arrayContaining([...memberDefinitions()]));
  });

  it('are in files that are named after them', () => {
    expect(new Set(names(hubDefinitions())).size).toBe(
      readdirSync(OWN).filter((file) => file.endsWith('.yaml')).length,
    );
  });
});

const areHere = existsSync(ORIGINALS);
const why = `SKIPPED: the originals are not in ${path.relative(process.cwd(), ORIGINALS)}, so the copies cannot be compared`;

(areHere ? describe : describe.skip)(areHere ? 'the copies of the definitions of Fleet' : why, () => {
  it('are unchanged', () => {
    const files = readdirSync(ORIGINALS);
    expect(readdirSync(OWN).filter((file) => file.endsWith('.yaml'))).toEqual(files);
    for (const file of files) {
      const [own, original] = [OWN, ORIGINALS].map((directory) => readFileSync(path.join(directory, file), 'utf8'));
      expect(own === original ? '' : file).toBe('');
    }
  });
});
