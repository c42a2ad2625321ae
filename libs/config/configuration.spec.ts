import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Secret } from '#libs/kernel/secret.js';
import { ConfigurationError, readConfiguration } from './configuration.js';
import { settings } from './settings.js';

const minimal = { DATABASE_URL: 'postgres://someone:hunter2hunter2@localhost/house' };

describe('readConfiguration', () => {
  it('needs nothing but a database', () => {
    const configuration = readConfiguration(minimal);
    expect(configuration.port).toBe(3000);
    expect(configuration.subscriptionIds).toEqual([]);
    expect(configuration.adminToken).toBeUndefined();
    expect(configuration.databaseUrl.reveal()).toBe(minimal.DATABASE_URL);
  });

  const faulty = [
    { reason: 'no database', environment: { DATABASE_URL: '' }, names: ['DATABASE_URL'] },
    { reason: 'another database', environment: { DATABASE_URL: 'mysql://x' }, names: ['DATABASE_URL'] },
    { reason: 'a port that is none', environment: { PORT: '70000' }, names: ['PORT'] },
    { reason: 'a port that is a word', environment: { PORT: 'http' }, names: ['PORT'] },
    {
      reason: 'a subscription that is no uuid',
      environment: { AZURE_SUBSCRIPTION_IDS: 'abc' },
      names: ['AZURE_SUBSCRIPTION_IDS'],
    },
    {
      reason: 'a token that no header can carry',
      environment: { PILOTHOUSE_TOKEN: 'äöü'.repeat(10) },
      names: ['PILOTHOUSE_TOKEN'],
    },
    {
      reason: 'an endpoint that is no URL',
      environment: { ARM_ENDPOINT: 'management.azure.com' },
      names: ['ARM_ENDPOINT'],
    },
    { reason: 'a key that is none', environment: { AUDIT_SIGNING_KEY: 'abc' }, names: ['AUDIT_SIGNING_KEY'] },
    {
      reason: 'a fixed token for the real Azure',
      environment: { ARM_TOKEN: 'x' },
      names: ['ARM_TOKEN'],
    },
    {
      reason: 'one token for two roles',
      environment: { PILOTHOUSE_TOKEN: 'same', PILOTHOUSE_VIEWER_TOKEN: 'same' },
      names: ['PILOTHOUSE_TOKEN'],
    },
    {
      reason: 'principals without a name, with a role that is none, or without a token',
      environment: { PILOTHOUSE_TOKENS: ':operator:a otto:chief:b vera:viewer:' },
      names: ['PILOTHOUSE_TOKENS', 'PILOTHOUSE_TOKENS', 'PILOTHOUSE_TOKENS'],
    },
    {
      reason: 'a principal twice, and the name of the bootstrap administrator',
      environment: { PILOTHOUSE_TOKENS: 'otto:operator:a,otto:viewer:b,administrator:admin:c' },
      names: ['PILOTHOUSE_TOKENS', 'PILOTHOUSE_TOKENS'],
    },
    {
      reason: 'one token for two principals',
      environment: { PILOTHOUSE_TOKEN: 'same', PILOTHOUSE_TOKENS: 'otto:operator:same' },
      names: ['PILOTHOUSE_TOKENS'],
    },
    {
      reason: 'a rule without an operation type, and one whose scope is no id',
      environment: { APPROVALS: '@/subscriptions/x fleet.delete@production' },
      names: ['APPROVALS', 'APPROVALS'],
    },
    {
      reason: 'a database URL that is none',
      environment: { DATABASE_URL: 'postgres://a b:x' },
      names: ['DATABASE_URL'],
    },
    {
      reason: 'several faults are told at once',
      environment: { PORT: '-1', LOG_LEVEL: 'loud', OPERATION_CONCURRENCY: '1.5' },
      names: ['PORT', 'LOG_LEVEL', 'OPERATION_CONCURRENCY'],
    },
  ];

  it.each(faulty)('refuses $reason', ({ environment, names }) => {
    const read = (): unknown => readConfiguration({ ...minimal, ...environment });
    expect(read).toThrow(ConfigurationError);
    try {
      read();
    } catch (error) {
      const { faults } = error as ConfigurationError;
      expect(faults.map((fault) => /^\w+/.exec(fault)?.[0])).toEqual(names);
    }
  });

  it('never shows a secret, also not a faulty one', () => {
    const secrets = Object.values(settings).filter((each) => each.secret);
    expect(secrets.length).toBeGreaterThan(3);
    const environment = Object.fromEntries(secrets.map((each) => [each.variable, 'hunter2'])) as Record<string, string>;
    expect(() => readConfiguration(environment)).toThrow(ConfigurationError);
    try {
      readConfiguration(environment);
    } catch (error) {
      expect(String(error)).not.toContain('hunter2');
    }
    const parsed = readConfiguration(minimal);
    expect(parsed.databaseUrl).toBeInstanceOf(Secret);
    expect(JSON.stringify(parsed)).not.toContain('hunter2');
  });

  it('reads a signing key whose line breaks are written out', () => {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const { auditSigningKey } = readConfiguration({ ...minimal, AUDIT_SIGNING_KEY: pem.replaceAll('\n', '\\n') });
    expect(auditSigningKey?.reveal()).toBe(pem);
  });
});
