import { NumberInput, Text } from '@mantine/core';
import type { OrderLine } from '../api/types';
import { Thumb } from '../components/thumb';
import { optionText } from '../format/words';
import classes from './order.module.css';
import type { Counts } from './pieces';

interface CountLinesProps {
  lines: OrderLine[];
  counts: Counts;
  onChange: (counts: Counts) => void;
  /** The most pieces of a line that can be meant. */
  max: (line: OrderLine) => number;
  /** The fewest; none without it. */
  min?: (line: OrderLine) => number;
}

/** Asks for a number of pieces of each line. */
export function CountLines({ lines, counts, onChange, max, min = () => 0 }: CountLinesProps) {
  return (
    <ul className={classes.counts}>
      {lines.map((line) => (
        <li key={line.id} className={classes.count}>
          <LineName line={line} />
          <NumberInput
            aria-label={`Pieces of ${line.title}`}
            size="sm"
            w={84}
            min={min(line)}
            max={max(line)}
            allowDecimal={false}
            clampBehavior="strict"
            value={counts[line.id] ?? 0}
            onChange={(value) => {
              onChange({ ...counts, [line.id]: typeof value === 'number' ? value : min(line) });
            }}
          />
          <Text size="sm" c="dimmed" className="figures">
            of {max(line)}
          </Text>
        </li>
      ))}
    </ul>
  );
}

/** What a line is of, in a dialog. */
export function LineName({ line }: { line: OrderLine }) {
  return (
    <>
      <Thumb image={line.image} size={36} />
      <div className={classes.what}>
        <Text size="sm" fw={500} lineClamp={1}>
          {line.title}
        </Text>
        <Text size="xs" c="dimmed" truncate>
          {[optionText(line.options), line.sku].filter(Boolean).join(' · ')}
        </Text>
      </div>
    </>
  );
}
