import type { Json } from '#libs/kernel/json.js';
import type { PrinterColumn } from './printer.column.js';
import { ageSince } from './human.duration.js';
import { valuesAt } from './printer.path.js';
import { NAME_COLUMN, type TableColumn } from './table.column.js';

const TYPES: readonly string[] = ['string', 'integer', 'number', 'boolean', 'date'];

/** The columns of a custom resource: its name and its definition's `additionalPrinterColumns`. */
export function customColumns(columns: readonly PrinterColumn[]): TableColumn[] {
  return [
    NAME_COLUMN,
    ...columns.map((column): TableColumn => {
      const type = TYPES.includes(column.type) ? (column.type as TableColumn['type']) : 'string';
      return {
        name: column.name,
        type,
        format: column.format ?? '',
        description:
          column.description === undefined || column.description === ''
            ? `Custom resource definition column (in JSONPath format): ${column.jsonPath}`
            : column.description,
        priority: column.priority ?? 0,
        cell: (object, now) => cellOf(type, valuesAt(column.jsonPath, object)[0], now),
      };
    }),
  ];
}

function cellOf(type: TableColumn['type'], value: Json | undefined, now: Date): Json {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return ageSince(value, now);
    case 'string':
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
}
