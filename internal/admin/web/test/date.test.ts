import { expect, it } from 'vitest';
import { formatCalendarDay, formatRelative } from '../src/format/date';

const now = new Date('2026-05-20T12:00:00Z');

it.each([
  ['2026-05-20T11:59:30Z', 'now'],
  ['2026-05-20T11:58:01Z', '1 minute ago'],
  ['2026-05-20T09:00:00Z', '3 hours ago'],
  ['2026-05-19T11:00:00Z', 'yesterday'],
  ['2026-05-20T12:05:00Z', 'in 5 minutes'],
  ['2026-05-10T12:00:00Z', 'May 10, 2026'],
])('says %s as "%s"', (at, text) => {
  expect(formatRelative(new Date(at), now)).toBe(text);
});

it('does not move a calendar day into another zone', () => {
  expect(formatCalendarDay('2026-05-01')).toBe('May 1');
});
