import type { ReactNode } from 'react';
import classes from './sticky-bar.module.css';

/** Stays in sight at the bottom of a long form: what is not saved, and the way to save it. */
export function StickyBar({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className={classes.bar} role="region" aria-label={label}>
      {children}
    </div>
  );
}
