import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '#libs/kernel/secret.js';
import { createTestDatabase, type TestDatabase } from '#libs/testing/test-database.js';
import { AccessRepository } from './access.repository.js';
import { Authenticator } from './authenticator.js';
import { authorise } from './permission.js';

describe('Authenticator', () => {
  let test: TestDatabase;
  // A new one each time: what one remembers must not make the next test pass.
  const create = (): Authenticator => new Authenticator(test.database, new AccessRepository(test.database));

  beforeAll(async () => {
    test = await createTestDatabase();
    await create().configure([
      { name: 'administrator', role: 'admin', token: new Secret('admin-token') },
      { name: 'viewer', role: 'viewer', token: new Secret('viewer-token') },
    ]);
  });

  afterAll(() => test.drop());

  it.each([
    { header: 'Bearer admin-token', name: 'administrator', role: 'admin', reason: 'the usual way' },
    { header: 'bearer admin-token', name: 'administrator', role: 'admin', reason: 'schemes know no case (RFC 9110)' },
    { header: ' Bearer viewer-token ', name: 'viewer', role: 'viewer', reason: 'white space around it' },
  ])('knows a caller: $reason', async ({ header, name, role }) => {
    expect(await create().authenticate(header)).toMatchObject({ name, role });
  });

  it.each([
    { header: undefined, reason: 'nothing' },
    { header: '', reason: 'an empty header' },
    { header: 'Bearer', reason: 'no token' },
    { header: 'Bearer nobody', reason: 'an unknown token' },
    { header: 'Basic admin-token', reason: 'another scheme' },
    { header: 'admin-token', reason: 'no scheme' },
    { header: 'Bearer admin-token, Bearer x', reason: 'two of them' },
    { header: "Bearer ' OR 1=1 --", reason: 'something that is no token' },
  ])('refuses $reason', async ({ header }) => {
    await expect(create().authenticate(header)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('stores no token, only its hash', async () => {
    const { rows } = await test.database.query<{ hash: string }>('SELECT hash FROM token');
    expect(rows).toHaveLength(2);
    for (const { hash } of rows) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('takes an old token away when the configuration brings a new one, or none', async () => {
    await create().configure([{ name: 'passing', role: 'viewer', token: new Secret('old') }]);
    const { principalId } = await create().authenticate('Bearer old');
    await create().configure([{ name: 'passing', role: 'operator', token: new Secret('new') }]);
    await expect(create().authenticate('Bearer old')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await create().authenticate('Bearer new')).toEqual({ principalId, name: 'passing', role: 'operator' });
    await create().configure([{ name: 'passing', role: 'operator', token: undefined }]);
    await expect(create().authenticate('Bearer new')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('refuses a token whose time is over', async () => {
    await create().configure([{ name: 'late', role: 'viewer', token: new Secret('late') }]);
    await test.database.query(
      `UPDATE token SET expires_at = now() - interval '1 s' FROM principal
       WHERE principal.id = token.principal_id AND principal.name = 'late'`,
    );
    await expect(create().authenticate('Bearer late')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe('authorise', () => {
  const may = {
    viewer: { read: true, operate: false, audit: false },
    operator: { read: true, operate: true, audit: false },
    admin: { read: true, operate: true, audit: true },
  } as const;

  it.each(
    (['viewer', 'operator', 'admin'] as const).flatMap((role) =>
      (['read', 'operate', 'audit'] as const).map((permission) => ({
        role,
        permission,
        allowed: may[role][permission],
      })),
    ),
  )('$role, $permission: $allowed', ({ role, permission, allowed }) => {
    const ask = (): void => authorise({ principalId: 'x', name: 'x', role }, permission, 'do this');
    if (allowed) expect(ask).not.toThrow();
    else expect(ask).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
  });
});
