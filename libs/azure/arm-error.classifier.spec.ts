import { describe, expect, it } from '@jest/globals';
import {
  canceledOperationError,
  classifyArmError,
  failedOperationError,
  parseArmError,
  saysAbsent,
  saysLinked,
} from './arm-error.classifier.js';

const SUBNET = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/aci';
const now = new Date('2026-01-01T00:00:00Z');

function classify(status: number, body: unknown, headers: Record<string, string> = {}) {
  return classifyArmError({ status, body, headers: new Map(Object.entries(headers)), action: 'PUT fleets/f1', now });
}

describe('parseArmError', () => {
  it.each([
    {
      body: { error: { code: 'ResourceNotFound', message: 'm' } },
      error: { code: 'ResourceNotFound', message: 'm' },
      reason: 'the ARM standard',
    },
    {
      body: { code: 'OperationNotAllowed', message: 'm', details: null, subcode: 's' },
      error: { code: 'OperationNotAllowed', message: 'm' },
      reason: 'AKS sends no wrapper',
    },
    {
      body: {
        code: 'EtagMismatch',
        details: [{ code: 'Unspecified', message: 'rpc error' }],
        message: 'Operation is not allowed',
        subcode: 'Put',
      },
      error: { code: 'EtagMismatch', message: 'Operation is not allowed' },
      reason: 'an inner "Unspecified" says less than the outer code',
    },
    {
      body: {
        Code: 'Conflict',
        Message: 'outer',
        Target: null,
        Details: [{ Message: 'inner' }, { Code: 'HostNameTaken' }],
        Innererror: null,
      },
      error: { code: 'HostNameTaken', message: 'outer' },
      reason: 'App Service writes Pascal case and spreads code and text over the details',
    },
    {
      body: {
        name: 'op',
        status: 'Failed',
        error: {
          code: 'ResourceOperationFailure',
          message: 'outer',
          details: [{ code: 'ExtensionCreationFailed', message: 'inner' }],
        },
      },
      error: { code: 'ExtensionCreationFailed', message: 'inner' },
      reason: 'a status body with a wrapper code',
    },
    {
      body: { 'odata.error': { code: 'Request_ResourceNotFound', message: { lang: 'en', value: 'm' } } },
      error: { code: 'Request_ResourceNotFound', message: 'm' },
      reason: 'Graph',
    },
    {
      body: {
        error: { code: 'BadRequest', message: 'support info', details: [{ code: 'UnknownTable', message: 't' }] },
      },
      error: { code: 'UnknownTable', message: 't' },
      reason: 'Resource Graph',
    },
    { body: '{"error":{"code":"X","message":"m"}}', error: { code: 'X', message: 'm' }, reason: 'text is parsed' },
    { body: '<html>502</html>', error: undefined, reason: 'a proxy' },
    { body: { value: [] }, error: undefined, reason: 'not an error' },
    { body: null, error: undefined, reason: 'nothing' },
  ])('$reason', ({ body, error }) => {
    expect(parseArmError(body)).toEqual(error);
  });

  it('survives an error nested without end', () => {
    let body: Record<string, unknown> = { code: 'Inner', message: 'm' };
    for (let depth = 0; depth < 1000; depth++) body = { error: body };
    expect(parseArmError(body)).toBeUndefined();
  });
});

describe('classifyArmError', () => {
  const busyText =
    'Operation is not allowed: Another operation (nodepool1 - Updating) is in progress, please wait for it to finish before starting a new operation.';
  it.each([
    {
      status: 404,
      body: { error: { code: 'ResourceNotFound', message: '' } },
      code: 'AZURE_NOT_FOUND',
      retry: 'never',
      reason: 'it is not there',
    },
    { status: 404, body: '', code: 'AZURE_NOT_FOUND', retry: 'never', reason: 'the status says enough' },
    {
      status: 401,
      body: { error: { code: 'ExpiredAuthenticationToken', message: '' } },
      code: 'AZURE_UNAUTHENTICATED',
      retry: 'never',
      reason: 'the token is too old',
    },
    {
      status: 403,
      body: { error: { code: 'AuthorizationFailed', message: '' } },
      code: 'AZURE_FORBIDDEN',
      retry: 'never',
      reason: 'a role is missing',
    },
    {
      status: 403,
      body: { error: { code: 'RequestDisallowedByPolicy', message: '' } },
      code: 'AZURE_REJECTED',
      retry: 'never',
      reason: 'a policy is no matter of rights',
    },
    {
      status: 409,
      body: { code: 'OperationNotAllowed', message: busyText },
      code: 'TARGET_BUSY',
      retry: 'backoff',
      reason: 'another operation of the cluster',
    },
    {
      status: 409,
      body: {
        code: 'OperationNotAllowed',
        message: 'Another agentpool operation (nodepool1 - Creating) is in progress, wait.',
      },
      code: 'TARGET_BUSY',
      retry: 'backoff',
      reason: 'another operation of a pool',
    },
    {
      status: 409,
      body: { error: { code: 'OperationNotAllowed', message: 'exceeding approved Total Regional Cores quota' } },
      code: 'AZURE_QUOTA_EXCEEDED',
      retry: 'never',
      reason: 'the same code for a quota',
    },
    {
      status: 409,
      body: { code: 'OperationNotAllowed', message: 'Not possible for this tier.' },
      code: 'AZURE_CONFLICT',
      retry: 'never',
      reason: 'the same code for "no"',
    },
    {
      status: 409,
      body: { code: 'EtagMismatch', message: 'Operation is not allowed: Another operation is in progress' },
      code: 'PRECONDITION_FAILED',
      retry: 'backoff',
      reason: 'AKS says 409 where the contract says 412',
    },
    { status: 412, body: '', code: 'PRECONDITION_FAILED', retry: 'backoff', reason: 'somebody changed it' },
    {
      status: 429,
      body: { error: { code: 'AnotherOperationInProgress', message: '' } },
      code: 'TARGET_BUSY',
      retry: 'backoff',
      reason: 'Network calls "busy" a 429',
    },
    {
      status: 429,
      body: { error: { code: 'SubscriptionRequestsThrottled', message: '' } },
      code: 'AZURE_THROTTLED',
      retry: 'backoff',
      reason: 'no Retry-After',
    },
    { status: 429, body: '', code: 'AZURE_THROTTLED', retry: 'backoff', reason: 'a throttle of few words' },
    {
      status: 429,
      body: { error: { code: 'SomethingNew', message: '' } },
      code: 'AZURE_THROTTLED',
      retry: 'backoff',
      reason: 'the status is enough',
    },
    {
      status: 400,
      body: { error: { code: 'QuotaExceeded', message: '' } },
      code: 'AZURE_QUOTA_EXCEEDED',
      retry: 'never',
      reason: 'a quota',
    },
    {
      status: 400,
      body: { error: { code: 'InUseSubnetCannotBeDeleted', message: 'Subnet aci is in use by /a/nic.' } },
      code: 'AZURE_CONFLICT',
      retry: 'never',
      reason: 'something is in the subnet',
    },
    {
      status: 400,
      body: {
        error: {
          code: 'SubnetMissingRequiredDelegation',
          message: `Subnet ${SUBNET} requires any of the following delegation(s) [Microsoft.ContainerInstance/containerGroups] to reference service association link ${SUBNET}/serviceAssociationLinks/acisal.`,
        },
      },
      code: 'AZURE_CONFLICT',
      retry: 'never',
      reason: 'a link was left on the subnet',
    },
    {
      status: 400,
      body: {
        error: { code: 'SubnetMissingRequiredDelegation', message: `Subnet '${SUBNET}' requires the delegation 'x'.` },
      },
      code: 'AZURE_REJECTED',
      retry: 'never',
      reason: 'the subnet is given to nobody',
    },
    {
      status: 400,
      body: { error: { code: 'SubnetDelegationsCannotChangeWhenSubnetUsedByResource', message: '' } },
      code: 'AZURE_CONFLICT',
      retry: 'never',
      reason: 'the subnet is used by something else',
    },
    {
      status: 409,
      body: { error: { code: 'MissingSubscriptionRegistration', message: '' } },
      code: 'AZURE_REJECTED',
      retry: 'never',
      reason: 'the provider is not registered',
    },
    {
      status: 400,
      body: { error: { code: 'NoRegisteredProviderFound', message: '' } },
      code: 'AZURE_REJECTED',
      retry: 'never',
      reason: 'an API version has been retired',
    },
    {
      status: 409,
      body: { error: { code: 'Conflict', message: 'm' } },
      code: 'AZURE_CONFLICT',
      retry: 'never',
      reason: 'an unspecific conflict',
    },
    {
      status: 400,
      body: { error: { code: 'BadRequest', message: 'm' } },
      code: 'AZURE_REJECTED',
      retry: 'never',
      reason: 'a bad request',
    },
    {
      status: 500,
      body: { error: { code: 'InternalServerError', message: '' } },
      code: 'AZURE_UNAVAILABLE',
      retry: 'backoff',
      reason: 'Azure is at fault',
    },
    { status: 502, body: '<html>', code: 'AZURE_UNAVAILABLE', retry: 'backoff', reason: 'a gateway' },
    { status: 504, body: '', code: 'AZURE_TIMEOUT', retry: 'backoff', reason: 'a gateway that waited' },
    { status: 302, body: '', code: 'AZURE_UNEXPECTED_ANSWER', retry: 'never', reason: 'ARM does not redirect' },
  ])('$status is $code: $reason', ({ status, body, code, retry }) => {
    expect(classify(status, body)).toMatchObject({ code, retry: { kind: retry } });
  });

  it.each([
    { status: 429, seconds: 17, header: '17', reason: 'the time that Azure asks for' },
    { status: 503, seconds: 1, header: '0', reason: 'never at once' },
  ])('takes over $reason', ({ status, seconds, header }) => {
    expect(classify(status, '', { 'retry-after': header }).retry).toEqual({ kind: 'after', seconds });
  });

  it('gives the code of Azure, a remedy where one is known, and the code of the header where the body has none', () => {
    expect(classify(409, { error: { code: 'ClusterAlreadyJoinedAnotherFleet', message: 'm' } })).toMatchObject({
      externalCode: 'ClusterAlreadyJoinedAnotherFleet',
      remedy: expect.stringContaining('fleet.member.leave'),
    });
    expect(classify(404, '', { 'x-ms-error-code': 'ResourceGroupNotFound' }).externalCode).toBe(
      'ResourceGroupNotFound',
    );
  });

  it('never shows a signed URL or a token', () => {
    const message = 'poll https://management.azure.com/o/1?s=SECRETSIG with Bearer SECRETTOKEN';
    const { message: shown } = classify(400, { error: { code: 'X', message } });
    expect(shown).toContain('PUT fleets/f1: X');
    expect(shown).not.toMatch(/SECRET/);
  });
});

describe('a refusal that names the link of a service', () => {
  const link = `${SUBNET}/providers/Microsoft.ContainerInstance/serviceAssociationLinks/default`;
  it.each([
    {
      status: 403,
      errorCode: 'AuthorizationFailed',
      message: `The client 'c' with object id 'c' does not have authorization to perform action 'Microsoft.ContainerInstance/serviceAssociationLinks/delete' over scope '${link}' or the scope is invalid.`,
      code: 'AZURE_FORBIDDEN',
      reason: 'a role for the link is missing',
    },
    {
      status: 403,
      errorCode: 'RequestDisallowedByPolicy',
      message: `Resource '${link}' was disallowed by policy.`,
      code: 'AZURE_REJECTED',
      reason: 'a policy keeps the link',
    },
    {
      status: 409,
      errorCode: 'ScopeLocked',
      message: `The scope '${link}' cannot perform delete operation because following scope(s) are locked: '${SUBNET}'.`,
      code: 'AZURE_CONFLICT',
      reason: 'a lock keeps the link',
    },
    {
      status: 404,
      errorCode: 'ResourceNotFound',
      message: `The Resource '${link}' was not found.`,
      code: 'AZURE_NOT_FOUND',
      isAbsent: true,
      reason: 'the link is gone',
    },
    {
      status: 400,
      errorCode: 'InUseSubnetCannotBeDeleted',
      message: `Subnet aci is in use by ${SUBNET}/serviceAssociationLinks/acisal and cannot be deleted.`,
      code: 'AZURE_CONFLICT',
      isLinked: true,
      reason: 'the link keeps the subnet',
    },
  ])('$errorCode is $code: $reason', ({ status, errorCode, message, code, isAbsent = false, isLinked = false }) => {
    const error = classify(status, { error: { code: errorCode, message } });
    expect(error.code).toBe(code);
    expect(saysAbsent(error)).toBe(isAbsent);
    expect(saysLinked(error)).toBe(isLinked);
    expect(error.remedy?.includes('azure.subnet.delete') ?? false).toBe(isLinked);
  });
});

describe('failedOperationError', () => {
  it.each([
    {
      body: { status: 'Failed', error: { code: 'QuotaExceeded', message: 'cores' } },
      external: 'QuotaExceeded',
      reason: 'a status body',
    },
    {
      body: { status: 'Failed', properties: { error: { code: 'Inner', message: 'm' } } },
      external: 'Inner',
      reason: 'a status body with properties',
    },
    {
      body: {
        properties: {
          provisioningState: 'Failed',
          status: { lastOperationError: { code: 'HubFailed', message: 'm' } },
        },
      },
      external: 'HubFailed',
      reason: 'a fleet',
    },
    {
      body: {
        properties: { provisioningState: 'Failed', status: { provisioningError: { code: 'VMSS', message: 'm' } } },
      },
      external: 'VMSS',
      reason: 'a node pool',
    },
    { body: { status: 'Failed' }, external: undefined, reason: 'no word about why' },
    { body: { status: 'Failed', error: null }, external: undefined, reason: 'an error that is null' },
  ])('finds the error of $reason', ({ body, external }) => {
    const error = failedOperationError('PUT x', body);
    expect(error).toMatchObject({ code: 'AZURE_OPERATION_FAILED', retry: { kind: 'never' } });
    expect(error.externalCode).toBe(external);
  });
});

describe('an operation that something else has ended', () => {
  it.each([
    { code: 'AKSOperationPreempted', reason: 'AKS does what came later' },
    { code: 'OperationPreempted', reason: 'so do other providers' },
  ])('keeps its code, and says that a newer one won: $reason', ({ code }) => {
    const body = { status: 'Canceled', error: { code, message: 'preempted by a more recent operation' } };
    for (const error of [canceledOperationError('PUT x', body), failedOperationError('PUT x', body)]) {
      expect(error).toMatchObject({ code: 'AZURE_OPERATION_FAILED', externalCode: code, retryable: false });
      expect(error.remedy).toMatch(/newer operation .* won: look at its state, and ask again/);
    }
  });

  it('is canceled where nobody says why', () => {
    for (const body of [null, { status: 'Canceled' }]) {
      const error = canceledOperationError('PUT x', body);
      expect(error).toMatchObject({ code: 'AZURE_OPERATION_FAILED', externalCode: 'OperationCanceled' });
      expect(error.remedy).toMatch(/ask again/);
    }
  });
});
