import { z } from 'zod';

export const printerColumnSchema = z.object({
  name: z.string(),
  type: z.string(),
  format: z.string().optional(),
  description: z.string().optional(),
  priority: z.number().optional(),
  jsonPath: z.string(),
});

/** One of a definition's `additionalPrinterColumns`. */
export type PrinterColumn = z.infer<typeof printerColumnSchema>;
