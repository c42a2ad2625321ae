import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from './certificate.authority.js';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'authority-'));
  file = path.join(directory, 'certificates.json');
});
afterEach(async () => rm(directory, { recursive: true, force: true }));

interface Made {
  authority: X509Certificate;
  server: X509Certificate;
}

async function make(where: string | undefined, hosts: string[] = []): Promise<Made> {
  let announced = '';
  const authority = new CertificateAuthority(where, hosts, (certificate) => {
    announced = certificate;
  });
  await authority.ready();
  const { cert } = await authority.server();
  return { authority: new X509Certificate(announced), server: new X509Certificate(cert) };
}

describe('the certificate authority', () => {
  it('signs a certificate for this machine that clients accept', async () => {
    const { authority, server } = await make(undefined, ['sim.example']);
    expect([authority.ca, server.ca]).toEqual([true, false]);
    expect([server.verify(authority.publicKey), server.checkIssued(authority)]).toEqual([true, true]);
    expect([server.checkIP('127.0.0.1'), server.checkIP('::1')]).toEqual(['127.0.0.1', '::1']);
    expect([server.checkHost('localhost'), server.checkHost('sim.example')]).toEqual(['localhost', 'sim.example']);
    const days = (Date.parse(server.validTo) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(700);
    expect(days).toBeLessThan(825);
  });

  it('is the same after a restart, and nobody else can read its key', async () => {
    const first = await make(file);
    const second = await make(file);
    expect(second.authority.fingerprint256).toBe(first.authority.fingerprint256);
    expect(second.server.fingerprint256).toBe(first.server.fingerprint256);
    expect((await stat(file)).mode & 0o077).toBe(0);
  });

  it('signs anew for another host, under the same authority', async () => {
    const first = await make(file);
    const second = await make(file, ['sim.example']);
    expect(second.authority.fingerprint256).toBe(first.authority.fingerprint256);
    expect(second.server.checkHost('sim.example')).toBe('sim.example');
  });

  it('signs anew before the certificate ends', async () => {
    const first = await make(file);
    const saved = JSON.parse(await readFile(file, 'utf8')) as { server: { endsAt: number } };
    saved.server.endsAt = Date.now() + 86_400_000;
    await writeFile(file, JSON.stringify(saved));
    const second = await make(file);
    expect(second.authority.fingerprint256).toBe(first.authority.fingerprint256);
    expect(second.server.fingerprint256).not.toBe(first.server.fingerprint256);
  });
});
