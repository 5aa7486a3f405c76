import { CloseButton, TextInput } from '@mantine/core';
import { useDebouncedCallback, useHotkeys } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { useSearchParams } from 'react-router';
import type { ListFilter } from '../api/endpoints';
import { humanise } from '../format/words';
import classes from './list-filter.module.css';

/** The filter of a list, kept in the address so that it survives a reload and can be sent to a colleague. */
export function useListFilter() {
  const [params, setParams] = useSearchParams();
  const filter: Required<ListFilter> = { q: params.get('q') ?? '', status: params.get('status') ?? '' };
  const setFilter = (change: ListFilter) => {
    const next = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...filter, ...change })) {
      if (value) next.set(name, value);
    }
    setParams(next, { replace: true });
  };
  return { filter, setFilter };
}

interface SearchFieldProps {
  value: string;
  onChange: (value: string) => void;
  label: string;
}

/** Searches while one types, a moment after the last key. The key "/" jumps here. */
export function SearchField({ value, onChange, label }: SearchFieldProps) {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  const [sent, setSent] = useState(value);
  const [seen, setSeen] = useState(value);
  const send = useDebouncedCallback((next: string) => {
    setSent(next.trim());
    onChange(next.trim());
  }, 250);
  // The filter may change without typing here, by a link or the way back.
  if (value !== seen) {
    setSeen(value);
    if (value !== sent) {
      setText(value);
      setSent(value);
    }
  }
  useHotkeys([['/', () => input.current?.focus()]]);
  const type = (next: string) => {
    setText(next);
    send(next);
  };
  return (
    <TextInput
      ref={input}
      type="search"
      aria-label={label}
      placeholder={label}
      className={classes.search}
      value={text}
      leftSection={<IconSearch size={16} stroke={1.6} aria-hidden />}
      rightSection={
        text && (
          <CloseButton
            size="sm"
            aria-label="Clear the search"
            onClick={() => {
              type('');
            }}
          />
        )
      }
      onChange={(e) => {
        type(e.currentTarget.value);
      }}
    />
  );
}

interface StatusChipsProps {
  options: readonly string[];
  value: string;
  onChange: (value: string) => void;
}

/** One chip for every status, and one for all. */
export function StatusChips({ options, value, onChange }: StatusChipsProps) {
  return (
    <div className={classes.chips} role="group" aria-label="Filter by status">
      {['', ...options].map((option) => (
        <button
          key={option}
          type="button"
          className={classes.chip}
          aria-pressed={option === value}
          onClick={() => {
            onChange(option);
          }}
        >
          {option ? humanise(option) : 'All'}
        </button>
      ))}
    </div>
  );
}

/** Search and statuses of a list in one bar. */
export function FilterBar({ statuses, searchLabel }: { statuses: readonly string[]; searchLabel: string }) {
  const { filter, setFilter } = useListFilter();
  return (
    <div className={classes.bar}>
      <StatusChips
        options={statuses}
        value={filter.status}
        onChange={(status) => {
          setFilter({ status });
        }}
      />
      <SearchField
        value={filter.q}
        label={searchLabel}
        onChange={(q) => {
          setFilter({ q });
        }}
      />
    </div>
  );
}
