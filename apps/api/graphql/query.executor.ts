import {
  execute,
  getOperationAST,
  getVariableValues,
  type DocumentNode,
  type ExecutionResult,
  type GraphQLSchema,
} from 'graphql';
import { CompiledQuery } from './compiled-query.js';
import type { GraphqlContext } from './graphql.context.js';

export interface ExecutionRequest {
  document: DocumentNode;
  operationName: string | undefined;
  variables: Record<string, unknown>;
  context: GraphqlContext;
}

/** Runs validated operations: queries compiled, once for each document, everything else by the reference implementation. */
export class QueryExecutor {
  /** Null for what cannot be compiled. A document lives as long as Apollo remembers it. */
  readonly #compiled = new WeakMap<DocumentNode, Map<string, CompiledQuery | null>>();

  constructor(private readonly schema: GraphQLSchema) {}

  async execute({ document, operationName, variables, context }: ExecutionRequest): Promise<ExecutionResult> {
    const operation = getOperationAST(document, operationName);
    const compiled = operation && this.#compiledQuery(document, operation.name?.value ?? '', operation);
    if (!operation || !compiled) {
      return execute({
        schema: this.schema,
        document,
        operationName: operationName ?? null,
        variableValues: variables,
        contextValue: context,
      });
    }
    const values = getVariableValues(this.schema, operation.variableDefinitions ?? [], variables, { maxErrors: 50 });
    return values.errors === undefined ? compiled.run(context, values.coerced) : { errors: values.errors };
  }

  #compiledQuery(
    document: DocumentNode,
    name: string,
    operation: Parameters<typeof CompiledQuery.compile>[2],
  ): CompiledQuery | null {
    let byName = this.#compiled.get(document);
    if (byName === undefined) {
      byName = new Map();
      this.#compiled.set(document, byName);
    }
    let compiled = byName.get(name);
    if (compiled === undefined) {
      compiled = CompiledQuery.compile(this.schema, document, operation) ?? null;
      byName.set(name, compiled);
    }
    return compiled;
  }
}
