import type { JsonObject } from '#libs/kernel/json.js';
import { ArmError } from '../arm-error.js';
import type { ArmAnswer, ArmRequest } from '../arm-request.js';
import type { AzureState } from '../azure.state.js';
import type { LongRunningOperation } from '../long-running-operation.store.js';
import { isSigned, pollPath } from '../poll-url.signer.js';
import type { PollAnswer } from '../poll-url.signer.js';
import { errorJson } from '../resource.engine.js';
import { renderResource } from '../resource.renderer.js';
import type { OperationProtocol, ResourceTypeDescriptor } from '../resource-type.descriptor.js';
import { operationOfToken } from './resource-group.handler.js';
import type { ResourceGroupHandler } from './resource-group.handler.js';

/** How much of an operation's time a running notice is shown for: it has gone by the time the operation nears its end. */
const NOTICE_SHARE = 0.5;

/** Answers polls. `Azure-AsyncOperation` URLs always answer 200, `Location` URLs 202 until the end. */
export class OperationHandler {
  constructor(
    private readonly state: AzureState,
    private readonly groups: ResourceGroupHandler,
  ) {}

  /** The poll URLs that a first answer carries. */
  headers(request: ArmRequest, operation: LongRunningOperation, protocol: OperationProtocol): Record<string, string> {
    const retryAfter = this.state.settings.retryAfterSeconds ?? protocol.retryAfterSeconds;
    return {
      ...(protocol.asyncOperation ? { 'azure-asyncoperation': this.#pollUrl(request, operation, 'status') } : {}),
      ...(protocol.location ? { location: this.#pollUrl(request, operation, 'result') } : {}),
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    };
  }

  /** @param operationId as it stands in the path: some providers append a hash */
  poll(request: ArmRequest, operationId: string, answer: PollAnswer): ArmAnswer {
    const operation = this.#find(request, operationId.split('*')[0] ?? '');
    return answer === 'status' ? this.#status(operation) : this.#result(request, operation);
  }

  pollGroup(request: ArmRequest, token: string): ArmAnswer {
    return this.groups.poll(request, this.#find(request, operationOfToken(token) ?? ''));
  }

  #find(request: ArmRequest, operationId: string): LongRunningOperation {
    const operation = this.state.operations.get(operationId);
    const { pollUrlLifetimeSeconds } = this.state.settings;
    const expired = operation !== undefined && this.state.now - operation.startedAt >= pollUrlLifetimeSeconds * 1000;
    if (operation === undefined || expired) throw operationNotFound(operationId);
    // Neither the status nor the code of a refused signature is recorded; Azure documents only that the URL is opaque.
    if (this.#pollingOf(operation) === 'signed' && !isSigned(operation, request.query)) {
      throw new ArmError(403, 'AuthorizationFailed', 'The signature of the operation URL is not valid.', {
        gateway: true,
      });
    }
    return operation;
  }

  #status(operation: LongRunningOperation): ArmAnswer {
    const { state } = operation;
    const times = {
      startTime: new Date(operation.startedAt).toISOString(),
      ...(state.status === 'InProgress' ? {} : { endTime: new Date(state.endedAt).toISOString() }),
    };
    // The official client takes the result of an action from the status itself; ARM's guidelines put it into `properties`.
    const output =
      state.status === 'Succeeded' && operation.output !== undefined
        ? { ...operation.output, properties: operation.output }
        : {};
    const body: JsonObject = {
      ...output,
      ...this.#identityOf(operation),
      status: this.#statusText(operation),
      ...times,
      ...this.#errorOf(operation),
    };
    return { status: 200, body, headers: this.#retryAfter(operation) };
  }

  #result(request: ArmRequest, operation: LongRunningOperation): ArmAnswer {
    const { state } = operation;
    switch (state.status) {
      case 'InProgress':
        return {
          status: 202,
          headers: { location: this.#pollUrl(request, operation, 'result'), ...this.#retryAfter(operation) },
        };
      case 'Succeeded':
        return this.#succeeded(operation, request.query.get('api-version'));
      case 'Failed':
      case 'Canceled':
        return { status: 409, body: { error: errorJson(state.error) } };
    }
  }

  #succeeded(operation: LongRunningOperation, apiVersion: string | undefined): ArmAnswer {
    if (operation.output !== undefined) return { status: 200, body: operation.output };
    const resource = this.state.resources.get(operation.targetKey);
    if (operation.result === 'nothing' || resource === undefined) return { status: 204 };
    const descriptor = this.state.registry.get(resource.type);
    const known = apiVersion !== undefined && descriptor.apiVersions.includes(apiVersion);
    const body = renderResource(resource, descriptor, this.state.world, known ? apiVersion : undefined);
    return { status: 200, body };
  }

  #errorOf(operation: LongRunningOperation): JsonObject {
    const { state, startedAt, dueAt, runningNotice } = operation;
    switch (state.status) {
      case 'InProgress': {
        const early = this.state.now - startedAt < (dueAt - startedAt) * NOTICE_SHARE;
        return runningNotice !== undefined && early ? { error: errorJson(runningNotice) } : {};
      }
      case 'Succeeded':
        return {};
      case 'Failed':
      case 'Canceled':
        return { error: errorJson(state.error) };
    }
  }

  #pollingOf(operation: LongRunningOperation): NonNullable<ResourceTypeDescriptor['polling']> {
    return this.state.registry.find(operation.targetType)?.polling ?? 'signed';
  }

  #pollUrl(request: ArmRequest, operation: LongRunningOperation, answer: PollAnswer): string {
    const target = this.state.resources.get(operation.targetKey);
    return pollPath(request.baseUrl, operation, {
      polling: this.#pollingOf(operation),
      answer,
      targetId: target?.id ?? operation.targetKey,
    });
  }

  /** ProviderHub names the operation by its path and says which resource it is about. */
  #identityOf(operation: LongRunningOperation): JsonObject {
    if (this.#pollingOf(operation) !== 'provider-hub') return { name: operation.id };
    const id = pollPath('', operation, { polling: 'provider-hub', answer: 'status', targetId: operation.targetKey });
    const [path = ''] = id.split('?');
    const resourceId = this.state.resources.get(operation.targetKey)?.id ?? operation.targetKey;
    return { id: path, name: path.split('/').at(-1) ?? '', resourceId };
  }

  /** ProviderHub shows the state of the resource, where others say that work is in progress. */
  #statusText(operation: LongRunningOperation): string {
    if (operation.state.status !== 'InProgress') return operation.state.status;
    return this.#pollingOf(operation) === 'provider-hub' ? operation.runningState : 'InProgress';
  }

  #retryAfter(operation: LongRunningOperation): Record<string, string> {
    const seconds = this.state.settings.retryAfterSeconds ?? operation.retryAfterSeconds;
    return seconds === undefined || operation.state.status !== 'InProgress' ? {} : { 'retry-after': String(seconds) };
  }
}

export function operationNotFound(operationId: string): ArmError {
  return new ArmError(
    404,
    'NotFound',
    `The entity '${operationId}' was not found: the operation is unknown or has expired.`,
  );
}
