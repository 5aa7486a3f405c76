import { useEffect, useState } from 'react';
import { formatDayAndTime, formatExact, formatRelative } from '../format/date';

/** "3 hours ago", kept up to date, with the exact time in the title. */
export function RelativeTime({ at }: { at: string }) {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => {
      setNow(new Date());
    }, 60_000);
    return () => {
      clearInterval(timer);
    };
  }, []);
  const date = new Date(at);
  return (
    <time dateTime={at} title={formatExact(date)}>
      {formatRelative(date, now)}
    </time>
  );
}

/** Date and time in short, with weekday and zone in the title. */
export function DayAndTime({ at }: { at: string }) {
  const date = new Date(at);
  return (
    <time dateTime={at} title={formatExact(date)}>
      {formatDayAndTime(date)}
    </time>
  );
}
