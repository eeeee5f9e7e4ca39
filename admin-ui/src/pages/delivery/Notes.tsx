import { Anchor, Stack, Table, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { Time } from '@/components/Time';
import { useTenant } from '@/session/context';
import { VerdictTone, type Note } from './sent';

/** "segment 14, element 2.2" */
function place({ segment, element, component }: Note): string {
  const at = element > 0 ? `${element}${component > 0 ? `.${component}` : ''}` : '';
  return [segment, at].filter(Boolean).join(' / ');
}

/** What partners said, one line each; `files`: with the file that each line is about. */
export function Notes({ notes, files = false }: { notes: readonly Note[]; files?: boolean }) {
  const { t } = useTranslation('sent');
  const { tenant } = useTenant();
  return (
    <Table.ScrollContainer minWidth={560}>
      <Table verticalSpacing={4} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{files ? t('answer.about') : t('answer.received')}</Table.Th>
            <Table.Th>{t('answer.verdict')}</Table.Th>
            <Table.Th>{t('file.why')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {notes.map((note) => (
            <Table.Tr key={`${note.acknowledgement}.${note.nth}`}>
              <Table.Td>
                {!files && (
                  <Stack gap={0}>
                    <span>
                      {t(`kind.${note.kind}`)} <span className="mono">{note.reference}</span>
                    </span>
                    <Time at={note.received_at} />
                  </Stack>
                )}
                {files && note.file !== null && (
                  <Anchor
                    component={Link}
                    size="sm"
                    className="mono"
                    to={`/t/${tenant}/exports/${note.file}`}
                  >
                    {note.interchange}
                  </Anchor>
                )}
                {files && note.file === null && (
                  <>
                    <span className="mono">{note.interchange}</span> ({t('answer.unmatched')})
                  </>
                )}
              </Table.Td>
              <Table.Td>
                <VerdictTone verdict={note.verdict} />
                <Text size="xs" c="var(--emt-dimmed)">
                  {t(`level.${note.level}`)} {note.message || note.document}
                </Text>
              </Table.Td>
              <Table.Td className="break">
                {[note.code, place(note), note.text].filter(Boolean).join(' · ') || '–'}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
