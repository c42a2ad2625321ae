import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { resourceUid } from '#libs/kernel/resource-uid.js';
import { KubernetesSnapshotStore } from './kubernetes.snapshot.store.js';

const KEY = '/subscriptions/s/resourcegroups/g/providers/p/t/cluster';

let directory: string;
const failures: unknown[] = [];
beforeEach(async () => {
  directory = path.join(await mkdtemp(path.join(tmpdir(), 'snapshots-')), 'clusters');
});
afterEach(async () => {
  await rm(path.dirname(directory), { recursive: true, force: true });
  expect(failures).toEqual([]);
});

function store(): KubernetesSnapshotStore {
  return new KubernetesSnapshotStore(directory, (error) => failures.push(error));
}

describe('the snapshots of clusters', () => {
  it('are found again by the cluster that they are of', async () => {
    const first = store();
    first.keep(KEY, 'then', () => ({ version: 7 }));
    first.changed(KEY);
    await first.close();
    expect(store().read(KEY, 'then')).toEqual({ version: 7 });
    expect(store().read(KEY, 'later')).toBeUndefined();
    expect(store().read(`${KEY}2`, 'then')).toBeUndefined();
  });

  it('are not written where nothing has changed', async () => {
    const first = store();
    first.keep(KEY, 'then', () => ({}));
    await first.close();
    expect(existsSync(directory)).toBe(false);
  });

  it('gather changes, and hold the last of them', async () => {
    let made = 0;
    const first = store();
    first.keep(KEY, 'then', () => ({ version: ++made }));
    for (let change = 0; change < 100; change++) first.changed(KEY);
    await first.close();
    expect(store().read(KEY, 'then')).toEqual({ version: 1 });
  });

  it('go with their cluster, and all of them with the estate', async () => {
    const first = store();
    for (const key of [KEY, `${KEY}2`]) {
      first.keep(key, 'then', () => ({}));
      first.changed(key);
    }
    await first.close();
    const second = store();
    second.forget(KEY);
    expect(await readdir(directory)).toEqual([`${resourceUid(`${KEY}2`)}.json`]);
    second.clear();
    expect(await readdir(directory)).toEqual([]);
  });

  it('of another format are refused', async () => {
    await mkdir(directory);
    await writeFile(path.join(directory, `${resourceUid(KEY)}.json`), '{"format":0}');
    expect(() => store().read(KEY, 'then')).toThrow(TypeError);
  });
});
