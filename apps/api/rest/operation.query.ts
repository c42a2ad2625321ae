import { z } from 'zod';
import { filterList, filterText } from '../http/query.schemas.js';
import { operationStatus } from '../views/view.schemas.js';

/** Which operations, or transitions of operations, a list or a stream is about. */
export const operationFilterQuery = {
  status: filterList(10)
    .pipe(z.array(z.enum(operationStatus.options, `must be one of ${operationStatus.options.join(', ')}`)))
    .optional(),
  type: filterText(200).optional(),
  target: filterText(2048).optional(),
  requestedBy: filterText(200).optional(),
  set: filterText(100).optional(),
};
