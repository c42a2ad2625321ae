import { describe, expect, it } from '@jest/globals';
import { isOpen, maintenanceWindowSchema, nextOpening } from './maintenance-window.js';

const base = { durationHours: 4, startTime: '22:00', utcOffset: '+00:00', startDate: '2026-01-01' };
const NOW = '2026-11-01T10:00:00Z';

describe('a maintenance window', () => {
  it.each([
    { schedule: { daily: { intervalDays: 1 } }, opens: '2026-11-01T22:00:00.000Z', reason: 'daily' },
    { schedule: { daily: { intervalDays: 3 } }, opens: '2026-11-03T22:00:00.000Z', reason: 'every third day' },
    {
      schedule: { weekly: { intervalWeeks: 1, dayOfWeek: 'Wednesday' } },
      opens: '2026-11-04T22:00:00.000Z',
      reason: 'weekly',
    },
    {
      schedule: { weekly: { intervalWeeks: 2, dayOfWeek: 'Wednesday' } },
      opens: '2026-11-04T22:00:00.000Z',
      reason: 'every second week, counted from the week of the start',
    },
    {
      schedule: { absoluteMonthly: { intervalMonths: 1, dayOfMonth: 15 } },
      opens: '2026-11-15T22:00:00.000Z',
      reason: 'on a day of the month',
    },
    {
      schedule: { absoluteMonthly: { intervalMonths: 3, dayOfMonth: 15 } },
      opens: '2027-01-15T22:00:00.000Z',
      reason: 'every third month',
    },
    {
      schedule: { relativeMonthly: { intervalMonths: 1, dayOfWeek: 'Monday', weekIndex: 'First' } },
      opens: '2026-11-02T22:00:00.000Z',
      reason: 'on the first Monday',
    },
    {
      schedule: { relativeMonthly: { intervalMonths: 1, dayOfWeek: 'Monday', weekIndex: 'Last' } },
      opens: '2026-11-30T22:00:00.000Z',
      reason: 'on the last Monday',
    },
  ])('opens $reason', ({ schedule, opens }) => {
    const window = maintenanceWindowSchema.parse({ ...base, schedule });
    const opensAt = nextOpening(window, Date.parse(NOW)) ?? 0;
    expect(new Date(opensAt).toISOString()).toBe(opens);
    expect(isOpen(window, opensAt - 1)).toBe(false);
    expect(isOpen(window, opensAt)).toBe(true);
    // Over midnight.
    expect(isOpen(window, opensAt + 4 * 3_600_000 - 1)).toBe(true);
    expect(isOpen(window, opensAt + 4 * 3_600_000)).toBe(false);
  });

  it.each([
    { change: { utcOffset: '-08:00' }, opens: '2026-11-02T06:00:00.000Z', reason: 'by its own clock' },
    { change: { startDate: '2026-12-24' }, opens: '2026-12-24T22:00:00.000Z', reason: 'not before its start' },
    {
      change: { notAllowedDates: [{ start: '2026-10-30', end: '2026-11-05' }] },
      opens: '2026-11-06T22:00:00.000Z',
      reason: 'not on the dates that are kept free',
    },
  ])('opens $reason', ({ change, opens }) => {
    const window = maintenanceWindowSchema.parse({ ...base, schedule: { daily: { intervalDays: 1 } }, ...change });
    expect(new Date(nextOpening(window, Date.parse(NOW)) ?? 0).toISOString()).toBe(opens);
  });

  it('without a schedule never opens', () => {
    const window = maintenanceWindowSchema.parse({ ...base, schedule: {} });
    expect(nextOpening(window, Date.parse(NOW))).toBeUndefined();
    expect(isOpen(window, Date.parse(NOW))).toBe(false);
  });
});
