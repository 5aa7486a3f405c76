import { Button, Menu } from '@mantine/core';
import { IconChevronDown } from '@tabler/icons-react';
import { type ComponentType, useState } from 'react';
import type { Order, OrderAction } from '../api/types';
import type { DialogProps } from './action-dialog';
import { Cancel, Capture } from './cancel-capture';
import { Edit } from './edit-order';
import { Fulfil } from './fulfil';
import { Note } from './note';
import { RefundOrder } from './refund-order';
import { BeginReturn } from './returns';

interface Action {
  label: string;
  Dialog: ComponentType<DialogProps<Order>>;
}

const buttons: Partial<Record<OrderAction, Action>> = {
  capture: { label: 'Capture payment', Dialog: Capture },
  fulfil: { label: 'Mark fulfilled', Dialog: Fulfil },
};

const menu: Partial<Record<OrderAction, Action>> = {
  edit: { label: 'Edit items', Dialog: Edit },
  return: { label: 'Begin a return', Dialog: BeginReturn },
  refund: { label: 'Refund', Dialog: RefundOrder },
};

/** What may be done with the order now, as the server says. Each asks before it does anything. */
export function OrderActions({ order }: { order: Order }) {
  const [opened, setOpened] = useState<Action | null>(null);
  const allowed = (actions: Partial<Record<OrderAction, Action>>) =>
    (Object.entries(actions) as [OrderAction, Action][]).filter(([name]) => order.actions.includes(name));
  const close = () => {
    setOpened(null);
  };
  return (
    <>
      <Menu position="bottom-end" width={200} withinPortal={false} withInitialFocusPlaceholder={false}>
        <Menu.Target>
          <Button variant="default" rightSection={<IconChevronDown size={14} aria-hidden />}>
            More
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {allowed(menu).map(([name, action]) => (
            <Menu.Item
              key={name}
              onClick={() => {
                setOpened(action);
              }}
            >
              {action.label}
            </Menu.Item>
          ))}
          <Menu.Item
            onClick={() => {
              setOpened({ label: 'Add a note', Dialog: Note });
            }}
          >
            Add a note
          </Menu.Item>
          {order.actions.includes('cancel') && (
            <>
              <Menu.Divider />
              <Menu.Item
                c="var(--mantine-color-error)"
                onClick={() => {
                  setOpened({ label: 'Cancel order', Dialog: Cancel });
                }}
              >
                Cancel order
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
      {allowed(buttons).map(([name, action], n) => (
        <Button
          key={name}
          variant={n === 0 ? 'filled' : 'default'}
          onClick={() => {
            setOpened(action);
          }}
        >
          {action.label}
        </Button>
      ))}
      {opened && <opened.Dialog order={order} onClose={close} />}
    </>
  );
}
