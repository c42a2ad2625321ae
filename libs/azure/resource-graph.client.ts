import { ResourceGraphClient } from '@azure/arm-resourcegraph';
import type { TokenCredential } from '@azure/core-auth';
import { isRestError, type HttpClient, type PipelineResponse } from '@azure/core-rest-pipeline';
import type { Clock } from '#libs/kernel/clock.js';
import { ControlError } from '#libs/kernel/control-error.js';
import { isJsonObject, type JsonObject } from '#libs/kernel/json.js';
import type { ArmEndpoint } from './arm-endpoint.js';
import { classifyArmError } from './arm-error.classifier.js';
import type { AzureCallContext } from './azure.options.js';

const ROWS_PER_PAGE = 1000;

export interface GraphQuestion {
  /** Kusto, without an order: rows must have an `id`, and are ordered by it so that paging is possible. */
  query: string;
  subscriptionIds: readonly string[];
}

export interface GraphPage {
  rows: JsonObject[];
  /** When the page was asked for; the index itself may lag behind by minutes. */
  observedAt: Date;
}

/** Whether the pages held everything that the index has. */
export type GraphOutcome = { state: 'complete' } | { state: 'incomplete'; reason: string };

export interface ResourceGraphOptions {
  endpoint: ArmEndpoint;
  credential: TokenCredential;
  transport: HttpClient;
  clock: Clock;
  userAgent: string;
}

/** Azure Resource Graph: many objects in one question, from an index that lags. Good for discovery, not for the truth. */
export class ResourceGraphQueries {
  readonly #client: ResourceGraphClient;

  constructor(private readonly options: ResourceGraphOptions) {
    this.#client = new ResourceGraphClient(options.credential, {
      endpoint: options.endpoint.clientOrigin,
      credentials: { scopes: [options.endpoint.tokenScope] },
      httpClient: options.transport,
      retryOptions: { maxRetries: 0 },
      userAgentOptions: { userAgentPrefix: options.userAgent },
    });
  }

  /**
   * Yields the rows page by page.
   * @throws ControlError of the AZURE_… family, or the reason of the context's signal.
   */
  async *ask(question: GraphQuestion, context: AzureCallContext): AsyncGenerator<GraphPage, GraphOutcome, void> {
    let skipToken: string | undefined;
    let seen = 0;
    for (;;) {
      const observedAt = this.options.clock.now();
      const answer = await this.#page(question, skipToken, context);
      if (!Array.isArray(answer.data) || !answer.data.every(isJsonObject)) {
        throw new ControlError('AZURE_UNEXPECTED_ANSWER', 'Resource Graph did not answer with a list of objects.');
      }
      const rows: JsonObject[] = answer.data;
      seen += rows.length;
      yield { rows, observedAt };
      const next = answer.skipToken;
      if (typeof next === 'string' && next !== '') {
        if (next === skipToken) return { state: 'incomplete', reason: 'Resource Graph repeats its page.' };
        skipToken = next;
        continue;
      }
      if (answer.resultTruncated === 'true') {
        return { state: 'incomplete', reason: 'Resource Graph cut the answer short and gave no token for the rest.' };
      }
      if (typeof answer.totalRecords === 'number' && answer.totalRecords > seen) {
        return { state: 'incomplete', reason: `Resource Graph gave ${seen} of ${answer.totalRecords} rows.` };
      }
      return { state: 'complete' };
    }
  }

  async #page(question: GraphQuestion, skipToken: string | undefined, context: AzureCallContext) {
    // The client's error has lost the body by the time it is thrown.
    let raw: PipelineResponse | undefined;
    try {
      return await this.#client.resources(
        {
          query: `${question.query} | order by id asc`,
          subscriptions: [...question.subscriptionIds],
          options: {
            top: ROWS_PER_PAGE,
            resultFormat: 'objectArray',
            ...(skipToken === undefined ? {} : { skipToken }),
          },
        },
        {
          ...(context.signal === undefined ? {} : { abortSignal: context.signal }),
          requestOptions: { headers: { 'x-ms-correlation-request-id': context.correlationId } },
          onResponse: (response) => {
            raw = response;
          },
        },
      );
    } catch (error) {
      if (raw !== undefined && raw.status !== 200) {
        const { status, bodyAsText: body, headers } = raw;
        throw classifyArmError({
          status,
          body,
          headers,
          action: 'Resource Graph query',
          now: this.options.clock.now(),
        });
      }
      // A TypeError is what the client's reading of an answer without the expected members ends in.
      if (isRestError(error) || error instanceof TypeError) {
        throw new ControlError('AZURE_UNEXPECTED_ANSWER', 'Resource Graph gave an answer that cannot be understood.', {
          retry: { kind: 'backoff' },
        });
      }
      throw error;
    }
  }
}
