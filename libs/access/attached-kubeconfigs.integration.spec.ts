import { randomBytes, randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ControlError } from '#libs/kernel/control-error.js';
import { Secret } from '#libs/kernel/secret.js';
import { SecretVault } from '#libs/kernel/secret-vault.js';
import { TestAuthority } from '#libs/testing/test-certificates.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { AttachedKubeconfigs } from './attached-kubeconfigs.js';
import { ClusterAccessRepository } from './cluster-access.repository.js';

const FACTS = { server: 'api.example.test:6443', authentication: 'token' };
const newKey = (): Secret => new Secret(randomBytes(32).toString('base64'));
const [oldKey, key] = [newKey(), newKey()];

describe('AttachedKubeconfigs', () => {
  let test: TestDatabase;
  let repository: ClusterAccessRepository;
  let kubeconfig: Secret;
  /** Parts of it that would give it away. */
  let secrets: string[];

  beforeAll(async () => {
    test = await createTestDatabase();
    repository = new ClusterAccessRepository(test.database);
    const authority = await TestAuthority.create();
    const client = await authority.sign({ commonName: 'pilothouse' });
    const token = `token-${randomBytes(12).toString('hex')}`;
    const [certificate, pem] = [client.certificate, client.key].map((text) => Buffer.from(text).toString('base64'));
    kubeconfig = new Secret(
      JSON.stringify({
        clusters: [{ name: 'c', cluster: { server: 'https://api.example.test:6443' } }],
        users: [{ name: 'u', user: { token, 'client-certificate-data': certificate, 'client-key-data': pem } }],
      }),
    );
    const words = [
      token,
      'client-key-data',
      'PRIVATE KEY',
      ...client.key.split('\n').filter((line) => line.length > 20),
    ];
    secrets = words.flatMap((word) => [
      word,
      Buffer.from(word).toString('hex'),
      // Whatever stands before it shifts the letters of base64.
      ...[0, 1, 2].map((shift) => Buffer.from(word).subarray(shift).toString('base64').slice(0, -4)),
    ]);
  });

  afterAll(() => test.drop());

  beforeEach(() => test.database.query('TRUNCATE cluster_access'));

  const kubeconfigs = (...keys: Secret[]) => new AttachedKubeconfigs(repository, new SecretVault(keys));
  const attach = async (
    by = kubeconfigs(key),
    text = kubeconfig,
    clusterUid: string = randomUUID(),
  ): Promise<string> => {
    await test.database.transaction((sql) => by.attach(sql, clusterUid, text, FACTS, 'the admin'));
    return clusterUid;
  };
  const refusal = async (promise: Promise<unknown>): Promise<ControlError> => {
    const error: unknown = await promise.catch((reason: unknown) => reason);
    if (!(error instanceof ControlError)) throw new Error('It was not refused', { cause: error });
    const shown = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error);
    for (const secret of [...secrets, key.reveal(), oldKey.reveal()]) expect(shown).not.toContain(secret);
    return error;
  };
  const keyIds = async () =>
    (await test.database.query<{ key_id: string }>('SELECT key_id FROM cluster_access ORDER BY cluster_uid')).rows.map(
      (row) => row.key_id,
    );

  it('can be read in no column, and are what they were when they are opened', async () => {
    const uid = await attach();
    const { rows } = await test.database.query<{ text: string }>(
      'SELECT to_jsonb(c)::text AS text FROM cluster_access c',
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.text).toContain(uid);
    for (const secret of secrets) expect(rows[0]?.text).not.toContain(secret);
    expect((await kubeconfigs(key).open(uid))?.reveal()).toBe(kubeconfig.reveal());
    expect((await kubeconfigs(key).open(uid.toUpperCase()))?.reveal()).toBe(kubeconfig.reveal());
  });

  it('look different each time, also when the same one is attached to two clusters', async () => {
    const [first, second] = [await attach(), await attach()];
    expect((await repository.find(first))?.sealed).not.toBe((await repository.find(second))?.sealed);
  });

  it('take the place of one another, and are gone when they are detached', async () => {
    const uid = await attach();
    await attach(kubeconfigs(key), new Secret('another'), uid);
    expect((await kubeconfigs(key).open(uid))?.reveal()).toBe('another');
    expect(await test.database.transaction((sql) => kubeconfigs(key).detach(sql, uid))).toBe(true);
    expect(await kubeconfigs(key).open(uid)).toBeUndefined();
    expect(await test.database.transaction((sql) => kubeconfigs(key).detach(sql, uid))).toBe(false);
  });

  it('are not taken without a key to seal them with', async () => {
    expect(await refusal(attach(kubeconfigs()))).toMatchObject({ code: 'UNAVAILABLE', remedy: expect.any(String) });
    expect(await keyIds()).toEqual([]);
  });

  it.each([
    { keys: [newKey()], reason: 'another key' },
    { keys: [newKey(), newKey()], reason: 'other keys' },
    { keys: [], reason: 'no key' },
  ])('cannot be opened with $reason, and it is said what is missing', async ({ keys }) => {
    const uid = await attach();
    expect(await refusal(kubeconfigs(...keys).open(uid))).toMatchObject({
      code: 'UNAVAILABLE',
      remedy: expect.stringContaining('ENCRYPTION_KEYS'),
    });
  });

  describe('that were changed where they are kept', () => {
    const flipped = (text: string, at: number): string => {
      const bytes = Buffer.from(text, 'base64url');
      bytes[at < 0 ? bytes.length + at : at]! ^= 1;
      return bytes.toString('base64url');
    };

    it.each<{ change: (sealed: string, other: string) => string; reason: string }>([
      { change: (sealed) => withText(sealed, (text) => flipped(text, 0)), reason: 'a bit of the nonce' },
      { change: (sealed) => withText(sealed, (text) => flipped(text, 40)), reason: 'a bit of the content' },
      { change: (sealed) => withText(sealed, (text) => flipped(text, -1)), reason: 'a bit of the seal' },
      { change: (sealed) => withText(sealed, (text) => text.slice(0, -8)), reason: 'the end is cut off' },
      { change: (sealed) => withText(sealed, () => ''), reason: 'nothing is left' },
      { change: () => 'nonsense', reason: 'it is something else' },
      { change: (_sealed, other) => other, reason: 'it is that of another cluster' },
      { change: (sealed) => sealed.replace('v1.', 'v2.'), reason: 'it says that it was sealed in another way' },
    ])('are not opened: $reason', async ({ change }) => {
      const [uid, other] = [await attach(), await attach(kubeconfigs(key), new Secret('another'))];
      const [sealed, others] = [
        (await repository.find(uid))?.sealed ?? '',
        (await repository.find(other))?.sealed ?? '',
      ];
      const changed = change(sealed, others);
      expect(changed).not.toBe(sealed);
      await test.database.query('UPDATE cluster_access SET sealed = $2 WHERE cluster_uid = $1', [uid, changed]);
      expect((await refusal(kubeconfigs(key).open(uid))).code).toBe('UNAVAILABLE');
      expect((await kubeconfigs(key).open(other))?.reveal()).toBe('another');
    });

    it('are not opened in the row of another cluster', async () => {
      const uid = await attach();
      const moved = randomUUID();
      await test.database.query('UPDATE cluster_access SET cluster_uid = $2 WHERE cluster_uid = $1', [uid, moved]);
      expect((await refusal(kubeconfigs(key).open(moved))).code).toBe('UNAVAILABLE');
    });
  });

  describe('after the key was changed', () => {
    const newId = new SecretVault([key]).keyId;

    it('are sealed anew, all of them, and opened without the old key then', async () => {
      // More than are read at once.
      const uids = [];
      for (let count = 0; count < 101; count++) uids.push(await attach(kubeconfigs(oldKey)));
      uids.push(await attach(kubeconfigs(key)));
      const changed = kubeconfigs(key, oldKey);
      expect((await changed.open(uids[0] ?? ''))?.reveal()).toBe(kubeconfig.reveal());
      expect(await changed.resealAll()).toBe(101);
      expect(await keyIds()).toEqual(Array(102).fill(newId));
      for (const uid of uids) expect((await kubeconfigs(key).open(uid))?.reveal()).toBe(kubeconfig.reveal());
      expect((await refusal(kubeconfigs(oldKey).open(uids[0] ?? ''))).code).toBe('UNAVAILABLE');
      expect(await changed.resealAll()).toBe(0);
    });

    it('keep who attached them, and when', async () => {
      const uid = await attach(kubeconfigs(oldKey));
      const before = await repository.find(uid);
      await kubeconfigs(key, oldKey).resealAll();
      const { sealed, keyId, ...others } = (await repository.find(uid))!;
      expect({ ...before, sealed, keyId }).toEqual({ ...others, sealed, keyId });
      expect(keyId).toBe(newId);
      expect(sealed).not.toBe(before?.sealed);
    });

    it.each([
      {
        damage: 'UPDATE cluster_access SET sealed = $2 WHERE cluster_uid = $1',
        by: 'v1.x.y',
        reason: 'an unknown key',
      },
      {
        damage: 'UPDATE cluster_access SET sealed = left(sealed, -8) || $2 WHERE cluster_uid = $1',
        by: 'AAAAAAAA',
        reason: 'a change by somebody',
      },
    ])('are sealed anew even if one of them cannot be opened, which is said: $reason', async ({ damage, by }) => {
      const [first, second, third] = (await Promise.all([1, 2, 3].map(() => attach(kubeconfigs(oldKey))))).sort();
      await test.database.query(damage, [first, by]);
      const damaged = (await repository.find(first!))?.sealed;
      const error = await refusal(kubeconfigs(key, oldKey).resealAll());
      expect(error).toMatchObject({ code: 'UNAVAILABLE', remedy: expect.any(String) });
      expect(error.message).toContain(first);
      expect((await repository.find(first!))?.sealed).toBe(damaged);
      for (const uid of [second!, third!]) {
        expect((await kubeconfigs(key).open(uid))?.reveal()).toBe(kubeconfig.reveal());
      }
    });

    it('are left as they are when somebody attaches another one in the meantime', async () => {
      const uid = await attach(kubeconfigs(oldKey));
      const before = (await repository.find(uid))!;
      await attach(kubeconfigs(oldKey), new Secret('another'), uid);
      expect(await repository.reseal(before, 'v1.late.text', 'late')).toBe(false);
      expect((await kubeconfigs(oldKey).open(uid))?.reveal()).toBe('another');
    });

    it('stay as they are while there is no key at all', async () => {
      await attach(kubeconfigs(oldKey));
      expect(await kubeconfigs().resealAll()).toBe(0);
      expect(await keyIds()).toEqual([new SecretVault([oldKey]).keyId]);
    });
  });
});

function withText(sealed: string, change: (text: string) => string): string {
  const [version = '', keyId = '', text = ''] = sealed.split('.');
  return [version, keyId, change(text)].join('.');
}
