import { ActionIcon, Menu } from '@mantine/core';

export interface RowAction {
  label: string;
  run: () => void;
  danger?: boolean;
}

/** What can be done with one row; nothing when nothing is allowed. */
export function RowMenu({ label, actions }: { label: string; actions: RowAction[] }) {
  if (actions.length === 0) return null;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="sm" aria-label={label}>
          <svg width="14" height="14" viewBox="0 0 14 14" fill="currentColor" aria-hidden="true">
            <circle cx="2" cy="7" r="1.4" />
            <circle cx="7" cy="7" r="1.4" />
            <circle cx="12" cy="7" r="1.4" />
          </svg>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {actions.map(({ label: text, run, danger }) => (
          <Menu.Item key={text} onClick={run} c={danger ? 'var(--emt-bad)' : undefined}>
            {text}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
