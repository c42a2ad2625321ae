/** What a statement gives back. */
export interface SqlResult<Row> {
  rows: Row[];
  rowCount: number;
}

/** Something that runs one parameterised statement. With a `name` the statement is prepared once a connection. */
export interface Sql {
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    name?: string,
  ): Promise<SqlResult<Row>>;
}

declare const inTransaction: unique symbol;

/** An open transaction, handed on explicitly: a repository method that takes one says that it must not stand alone. */
export interface Transaction extends Sql {
  readonly [inTransaction]: true;
}
