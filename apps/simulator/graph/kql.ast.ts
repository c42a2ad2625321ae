export type KqlExpression =
  | { kind: 'literal'; value: string | number | boolean | null }
  /** `properties.agentPoolProfiles[0].count`, `tags['env']`. */
  | { kind: 'path'; root: string; steps: (string | number)[] }
  | { kind: 'call'; name: string; parameters: KqlExpression[] }
  | { kind: 'binary'; operator: string; left: KqlExpression; right: KqlExpression }
  | { kind: 'list'; operator: string; left: KqlExpression; items: KqlExpression[] };

export interface KqlColumn {
  /** As written, `name = expression`; absent when the expression alone names the column. */
  name?: string;
  expression: KqlExpression;
}

export interface KqlOrder {
  expression: KqlExpression;
  descending: boolean;
}

export type KqlStage =
  | { kind: 'where'; condition: KqlExpression }
  | { kind: 'project'; columns: KqlColumn[] }
  | { kind: 'project-away'; names: string[] }
  | { kind: 'extend'; columns: KqlColumn[] }
  | { kind: 'order'; by: KqlOrder[] }
  | { kind: 'take'; count: number }
  | { kind: 'summarize'; aggregates: KqlColumn[]; by: KqlColumn[] }
  | { kind: 'distinct'; columns: KqlColumn[] }
  | { kind: 'count' };

export interface KqlQuery {
  /** In lower case. */
  table: string;
  stages: KqlStage[];
}
