import { describe, expect, it } from '@jest/globals';
import { Secret } from '#libs/kernel/secret.js';
import { HOST_NAME, TEST_PFX, TEST_PFX_PASSWORD, TEST_PFX_THUMBPRINT } from '#libs/testing/app-service-samples.js';
import { covers, readPfx } from './pfx.js';

const read = (content: string, password: string) => readPfx(new Secret(content), new Secret(password));

describe('a PKCS #12 file', () => {
  it('tells of its certificate what may be shown', () => {
    expect(read(TEST_PFX, TEST_PFX_PASSWORD)).toEqual({
      state: 'read',
      certificate: {
        subject: HOST_NAME,
        hostNames: [HOST_NAME],
        expiresAt: expect.any(Date),
        thumbprint: TEST_PFX_THUMBPRINT,
      },
    });
  });

  it.each([
    { content: TEST_PFX, password: 'wrong', why: 'password', reason: 'the password does not open it' },
    { content: '', password: '', why: 'content', reason: 'nothing is there' },
    { content: 'aGVsbG8=', password: '', why: 'content', reason: 'it is something else' },
    {
      content: TEST_PFX.slice(0, 400),
      password: TEST_PFX_PASSWORD,
      why: 'content',
      reason: 'half of it is missing',
    },
  ])('cannot be read: $reason', ({ content, password, why }) => {
    expect(read(content, password)).toEqual({ state: 'unreadable', why });
  });
});

describe('the names of a certificate', () => {
  it.each([
    { names: ['shop.example.com'], host: 'SHOP.example.com', covered: true, reason: 'case does not matter' },
    { names: ['*.example.com'], host: 'shop.example.com', covered: true, reason: 'a wildcard stands for one label' },
    { names: ['*.example.com'], host: 'a.shop.example.com', covered: false, reason: 'but not for two' },
    { names: ['*.example.com'], host: 'example.com', covered: false, reason: 'nor for none' },
    { names: [], host: 'example.com', covered: false, reason: 'there is none' },
  ])('$reason', ({ names, host, covered }) => {
    expect(covers(names, host)).toBe(covered);
  });
});
